import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { isObject, objectsAt, parseObject, textAt } from '../lab/json.ts'
import { outcomeOf } from '../lab/command.ts'

const BENCH = join(import.meta.dirname, '../bench')
const ROWS = ['program', 'decode', 'start', 'rest', 'join', 'churn', 'heal', 'traffic', 'size']
const MOST_MS = 115_000

describe('npm run bench -- --quick --json', () => {
  test('gives every row, measured and checked, in the format that is promised', async () => {
    const args = ['--import', 'tsx', join(BENCH, 'main.ts'), '--quick', '--json', '--peers', '20', '--runs', '1']
    const { code, stdout, stderr } = await outcomeOf([process.execPath, ...args], { timeoutMs: MOST_MS })
    expect(code, stderr).toBe(0)

    const schema = parseObject(readFileSync(join(BENCH, 'result.schema.json'), 'utf8'))
    const result = parseObject(stdout)
    const ajv = new Ajv()
    ajv.validate(schema, result)
    expect(ajv.errors).toBeNull()

    const figures = objectsAt(result, 'figures')
    expect([...new Set(figures.map((figure) => textAt(figure, 'row')))]).toEqual(ROWS)
    // A machine without a compiler measures what takes none, and says so.
    const reasons = figures.flatMap((figure) => (isObject(figure['value']) ? [] : [textAt(figure, 'note')]))
    expect(reasons.filter((reason) => !/^cc does not make|there is no C compiler/.test(reason ?? ''))).toEqual([])
    // Times are no matter here; but what a restart writes is the same on any machine.
    const writes = figures.filter((figure) => textAt(figure, 'what') === 'changes of the kernel in a restart')
    expect(writes.map((figure) => figure['verdict'])).toEqual([reasons.length === 0 ? 'met' : 'not measured'])
  })
})
