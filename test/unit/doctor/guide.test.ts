import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CAUSES, rankOf } from '../../../src/doctor/causes.ts'

const guide = readFileSync(join(import.meta.dirname, '../../../docs/doctor.md'), 'utf8')
const rows = Array.from(
  guide.slice(guide.indexOf('## Causes')).matchAll(/^\| `([a-z0-9-]+)` +\|/gm),
  ([, cause]) => cause,
).slice(1) // behind the heading

describe('the causes that docs/doctor.md lists', () => {
  it('are those that there are, the root cause first', () => {
    expect(rows).toEqual([...CAUSES])
  })

  it('have names of their own', () => {
    expect(new Set(CAUSES).size).toBe(CAUSES.length)
  })

  it('come before what nobody knows', () => {
    expect(rankOf('condition')).toBe(CAUSES.length)
    expect(rankOf(CAUSES[0])).toBe(0)
  })
})
