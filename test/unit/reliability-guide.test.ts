import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const FAULTS = join(ROOT, 'test/e2e/faults')
const GUIDE = readFileSync(join(ROOT, 'docs/reliability.md'), 'utf8')

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Names in the last column of the guide's tables; "…" stands for any text. */
const CITED = GUIDE.split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.split(' | ').at(-1) ?? '')
  .flatMap((column) => Array.from(column.matchAll(/`([^`]+)`/g), ([, name = '']) => name))

const patternOf = (cited: string): RegExp => new RegExp(`^${cited.split('…').map(escaped).join('.+')}$`)

const files = readdirSync(FAULTS).filter((file) => file.endsWith('.ts'))

/** Titles that are written out in a test file, such as `kernel: …`. */
const writtenOut = files
  .filter((file) => file.endsWith('.test.ts'))
  .flatMap((file) => Array.from(readFileSync(join(FAULTS, file), 'utf8').matchAll(/(['"`])([a-z][a-z ]*: [^$]+?)\1/g)))
  .map(([, , title = '']) => title)

/** Titles that a table makes: its module exports them. */
async function generated(): Promise<readonly string[]> {
  const modules = files.filter((file) => !file.endsWith('.test.ts')).map((file) => join(FAULTS, file))
  const titles: string[] = []
  for (const path of modules) {
    if (!readFileSync(path, 'utf8').includes('export const TITLES')) continue
    const module = (await import(path)) as { readonly TITLES: readonly string[] }
    titles.push(...module.TITLES)
  }
  return titles
}

describe('docs/reliability.md', () => {
  let tables: readonly string[] = []

  beforeAll(async () => {
    tables = await generated()
  })

  it('cites tests that there are', () => {
    expect(CITED.length).toBeGreaterThan(30)
    const titles = [...tables, ...writtenOut]
    expect(CITED.filter((cited) => !titles.some((title) => patternOf(cited).test(title)))).toEqual([])
  })

  it('cites every fault of the tables', () => {
    const patterns = CITED.map(patternOf)
    expect(tables.length).toBeGreaterThan(100)
    expect(tables.filter((title) => !patterns.some((pattern) => pattern.test(title)))).toEqual([])
  })

  it('cites nothing twice', () => {
    expect(CITED.filter((cited, at) => CITED.indexOf(cited) !== at)).toEqual([])
  })
})

describe('tests of faults', () => {
  it('have titles of their own', async () => {
    const titles = await generated()
    expect(titles.filter((title, at) => titles.indexOf(title) !== at)).toEqual([])
  })
})
