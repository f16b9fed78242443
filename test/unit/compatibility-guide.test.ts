import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { environmentName, FLAGS } from '../../src/cli/flags.ts'

const ROOT = join(import.meta.dirname, '../..')
const GUIDE = readFileSync(join(ROOT, 'docs/compatibility.md'), 'utf8')
const FLAG_ROWS = Array.from(GUIDE.matchAll(/^\| `([a-z0-9-]+)` \| `(FLANNELD_\w+)` \|.*\|$/gm))
const CITED = Array.from(GUIDE.matchAll(/`(test\/[^`]+\.test\.ts)` > ([^|;`]+)/g), ([, file = '', title = '']) => ({
  file,
  title: title.trim().replace(/\.$/, ''),
}))

/** Titles may hold a place for a value (`%s`), for which the guide writes "…" or leaves it out. */
const hasTest = ({ file, title }: { readonly file: string; readonly title: string }): boolean => {
  const path = join(ROOT, file)
  if (!existsSync(path)) return false
  const text = readFileSync(path, 'utf8')
  return title.split('…').every((part) => text.includes(part.trim()))
}

/** Sections whose tables name tests of one file without saying which. */
const AT_HOME: Readonly<Record<string, string>> = {
  Docker: 'test/unit/docker/docker-opts.test.ts',
  'The CNI plugin': 'test/unit/cni/run.test.ts',
}

interface Row {
  readonly section: string
  readonly line: string
  /** What stands in the last column. */
  readonly tests: string
}

/** Rows of the tables whose last column is for tests. */
const ROWS: readonly Row[] = GUIDE.split(/^## /m).flatMap((text) => {
  const [section = '', ...lines] = text.split('\n')
  let isTested = false
  return lines.flatMap((line) => {
    const cells = line.split(' | ')
    const last = (cells.at(-1) ?? '').replace(/ \|$/, '').trim()
    if (!line.startsWith('|')) isTested = false
    else if (/^test\b/.test(last)) isTested = true
    else if (isTested && !line.startsWith('| ---')) return [{ section, line, tests: last }]
    return []
  })
})

/** Titles that a row names without a file. */
const titlesAtHome = ({ tests }: Row): readonly string[] =>
  tests
    .split(';')
    .filter((part) => !part.includes('`test/'))
    .flatMap((part) => part.split('>'))
    .map((title) => title.trim().replaceAll('`', ''))
    .filter((title) => title !== '' && title !== '*')

describe('docs/compatibility.md', () => {
  it('lists every flag once, and no other', () => {
    expect(FLAG_ROWS.map(([, name]) => name).sort()).toEqual(
      Object.values(FLAGS)
        .map(({ name }) => name)
        .sort(),
    )
  })

  it('names the environment variable of every flag', () => {
    expect(FLAG_ROWS.filter(([, name = '', variable]) => environmentName(name) !== variable)).toEqual([])
  })

  it('names a test in every row of its tables', () => {
    expect(ROWS.length).toBeGreaterThan(90)
    expect(ROWS.filter(({ tests }) => !/`test\/| > |^> /.test(tests)).map(({ line }) => line)).toEqual([])
  })

  it('names files that there are', () => {
    const paths = Array.from(GUIDE.matchAll(/`(test\/[^`*]+)`/g), ([, path = '']) => path)
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })

  it.each(Object.entries(AT_HOME))('cites tests for "%s" that there are in %s', (section, file) => {
    const titles = ROWS.filter((row) => row.section === section).flatMap(titlesAtHome)
    expect(titles.length).toBeGreaterThan(8)
    expect(titles.filter((title) => !hasTest({ file, title }))).toEqual([])
  })

  it('cites tests that there are', () => {
    expect(CITED.length).toBeGreaterThan(20)
    expect(CITED.filter((cited) => !hasTest(cited))).toEqual([])
  })
})
