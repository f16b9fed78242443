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

  it('cites tests that there are', () => {
    expect(CITED.length).toBeGreaterThan(20)
    expect(CITED.filter((cited) => !hasTest(cited))).toEqual([])
  })
})
