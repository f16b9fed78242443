import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { instrumented, type Region } from '../../mutate/instrument.ts'
import { oneFile } from './one-file.ts'

describe('instrumented code', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'instrument-'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true })
  })

  /** Runs a text, which is valid JavaScript too. @returns what it printed, and the texts of the regions that it reached */
  function run(text: string) {
    const regions: Region[] = []
    const path = join(folder, 'reached')
    const code = instrumented(oneFile(text).source, 'src/one.ts', regions, path)
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
    const numbers = readFileSync(path, 'utf8').trim().split('\n')
    const reached = numbers.map((line) => {
      const region = regions[Number(line.slice(1))]
      return region === undefined ? '' : text.slice(region.start, region.end)
    })
    return { stdout, reached, code }
  }

  test('does what it did, and tells which statements and branches were run, each once', () => {
    const { stdout, reached } = run(`
const f = (a) => a > 1 ? 'many' : 'few'
for (const x of [1, 2]) if (x > 1) console.log(f(x))
if (f(0) === 'none') console.log('never')
`)
    expect(stdout).toBe('many\n')
    expect(reached.filter((text) => !text.includes('\n'))).toEqual([
      "const f = (a) => a > 1 ? 'many' : 'few'",
      'for (const x of [1, 2]) if (x > 1) console.log(f(x))',
      'if (x > 1) console.log(f(x))',
      'console.log(f(x))',
      "a > 1 ? 'many' : 'few'",
      "'many'",
      "if (f(0) === 'none') console.log('never')",
      "'few'",
    ])
  })

  test('tells what is right of lazy operators, in fields, clauses and blocks', () => {
    const { stdout, reached } = run(`
class A { b = undefined ?? 'b'; c() { return this.b } }
switch (new A().c()) { case 'b': console.log('b'); break; default: console.log('c') }
`)
    expect(stdout).toBe('b\n')
    expect(reached).toContain("'b'")
    expect(reached).toContain('return this.b')
    expect(reached).toContain("console.log('b');")
    expect(reached).not.toContain("console.log('c')")
  })

  test('is on as many lines as before', () => {
    const text = 'const a = () =>\n  1\nconst b = { c: `d\n` }\nconsole.log(a(), b)\n'
    expect(run(text).code.split('\n')).toHaveLength(text.split('\n').length)
  })
})
