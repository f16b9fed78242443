import { existsSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { factsOf } from './architecture/facts.ts'
import { ROOMS } from './architecture/rules.ts'

const ROOT = join(import.meta.dirname, '../..')
const GUIDE = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8')
/** More files than this, and nobody reads to the end. */
const MOST_FILES = 8

/** What stands below a heading of the second order, up to the next. */
const sectionOf = (heading: string): string =>
  GUIDE.split(/^## /m).find((section) => section.startsWith(`${heading}\n`)) ?? ''

/** Title → files in the order of reading: a numbered list below a heading of the third order, each item beginning with a file. */
const PATHS = sectionOf('Reading paths')
  .split(/^### /m)
  .slice(1)
  .map((text) => ({
    title: text.split('\n')[0] ?? '',
    files: Array.from(text.matchAll(/^\d+\. `([\w./-]+\.ts)`/gm), ([, file = '']) => file),
  }))

/** Files below src/ that one below src/ imports, in whatever way. */
function importsOf(file: string): readonly string[] {
  const { imports } = factsOf(file, readFileSync(join(ROOT, 'src', file), 'utf8'))
  return imports.flatMap(({ specifier }) =>
    specifier?.startsWith('.') === true ? [posix.join(posix.dirname(file), specifier)] : [],
  )
}

describe('the reading paths of docs/architecture.md', () => {
  it('are three at least', () => {
    expect(PATHS.length).toBeGreaterThanOrEqual(3)
  })

  it.each(PATHS)('$title: few files, each there', ({ files }) => {
    expect(files.length).toBeGreaterThan(2)
    expect(files.length).toBeLessThanOrEqual(MOST_FILES)
    expect(files.filter((file) => !existsSync(join(ROOT, 'src', file)))).toEqual([])
  })

  it.each(PATHS)('$title: each file imports the next', ({ files }) => {
    const torn = files.flatMap((file, at) => {
      const next = files[at + 1]
      return next === undefined || importsOf(file).includes(next) ? [] : [`${file} does not import ${next}`]
    })
    expect(torn).toEqual([])
  })
})

describe('the rooms of docs/architecture.md', () => {
  it('are those of the rules, in their order', () => {
    const rows = Array.from(sectionOf('Rooms').matchAll(/^\| `([\w/-]+)` \|/gm), ([, room = '']) => room)
    expect(rows).toEqual(Object.keys(ROOMS))
  })
})
