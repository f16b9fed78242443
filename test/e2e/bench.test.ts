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
    // Times are no matter here; but whatever counts writes, and asks of etcd, is the same on any machine.
    const verdictOf = (what: string) =>
      figures.filter((figure) => textAt(figure, 'what') === what).map((figure) => figure['verdict'])
    expect(verdictOf('changes of the kernel in a restart')).toEqual(['met'])
    expect(figures.filter((figure) => !isObject(figure['value'])).map((figure) => figure['note'])).toEqual([])
  })
})
