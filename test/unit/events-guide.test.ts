import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { EVENT_KINDS } from '../../src/observe/event-kinds.ts'
import { Sources } from './troubleshooting/messages.ts'
import type { EventCall } from './troubleshooting/event-calls.ts'

const ROOT = join(import.meta.dirname, '../..')
const GUIDE = readFileSync(join(ROOT, 'docs/events.md'), 'utf8')

const spansIn = (cell = ''): readonly string[] => Array.from(cell.matchAll(/`([^`]+)`/g), ([, text = '']) => text)

/** Kind → keys, as the guide has them. */
const ROWS = new Map(
  GUIDE.split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').slice(1))
    .map(([kinds, , keys]) => [spansIn(kinds)[0] ?? '', [...spansIn(keys)].sort()] as const),
)

let calls: readonly EventCall[] = []

beforeAll(() => {
  calls = new Sources(ROOT).events()
})

describe('docs/events.md', () => {
  it('has a row for every kind of event, and for no other', () => {
    expect([...ROWS.keys()].sort()).toEqual([...EVENT_KINDS].sort())
  })

  it('names just the keys that each kind has wherever it is said', () => {
    expect(calls.length).toBeGreaterThan(30)
    const said = new Map(EVENT_KINDS.map((kind) => [kind, calls.filter((call) => call.kind === kind)] as const))
    const keys = [...said].map(([kind, all]) => [kind, [...new Set(all.flatMap((call) => call.keys))].sort()] as const)
    expect(Object.fromEntries([...ROWS])).toEqual(Object.fromEntries(keys))
  })

  it('knows of no kind that nothing says', () => {
    const said = new Set<string>(calls.map(({ kind }) => kind))
    expect(EVENT_KINDS.filter((kind) => !said.has(kind))).toEqual([])
  })
})
