import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PeerTable, type Verdict } from '../../src/lease/peers.ts'
import type { LeaseRecord } from '../../src/lease/store.ts'
import { leaseRecord } from '../fake/samples.ts'

const claimsOf = (value: string): readonly string[] => [...new Set(value.split(''))]

/** The value is what the lease claims; `x` makes it a bad lease. */
function judge({ value }: LeaseRecord): Verdict<string> {
  return value.includes('x') ? { rejected: 'bad' } : { accepted: value, claims: claimsOf(value) }
}

/** Who is in force by the rule as it is written: accepted, and for every claim older than all others who make it. */
function inForce(records: ReadonlyMap<string, LeaseRecord>): ReadonlyMap<string, string> {
  const claimants = [...records.values()].filter(({ value }) => !value.includes('x'))
  const isOlder = (a: LeaseRecord, b: LeaseRecord): boolean =>
    a.createRevision < b.createRevision || (a.createRevision === b.createRevision && a.key < b.key)
  const yields = (a: LeaseRecord): boolean =>
    claimants.some((b) => isOlder(b, a) && claimsOf(b.value).some((claim) => a.value.includes(claim)))
  return new Map(claimants.filter((record) => !yields(record)).map(({ key, value }) => [key, value]))
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const value = fc.string({ unit: fc.constantFrom('1', '2', '3', '4', '5', '6', 'x'), maxLength: 3 })
const record = fc
  .record({ key, value, created: fc.integer({ min: 1, max: 4 }), modified: fc.integer({ min: 1, max: 4 }) })
  .map(({ key: name, value: text, created, modified }) =>
    leaseRecord(name, text, { createRevision: BigInt(created), modRevision: BigInt(modified) }),
  )

type Step =
  | { readonly do: 'put'; readonly record: LeaseRecord }
  | { readonly do: 'delete'; readonly key: string }
  | { readonly do: 'replaceAll'; readonly records: readonly LeaseRecord[] }
  | { readonly do: 'drain' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: record.map((put) => ({ do: 'put', record: put }) as const) },
  { weight: 2, arbitrary: key.map((name) => ({ do: 'delete', key: name }) as const) },
  {
    weight: 1,
    arbitrary: fc
      .uniqueArray(record, { selector: (listed) => listed.key, maxLength: 6 })
      .map((records) => ({ do: 'replaceAll', records }) as const),
  },
  { weight: 3, arbitrary: fc.constant({ do: 'drain' } as const) },
)

/** Does the step to both. The model only remembers the records. */
function take(action: Step, table: PeerTable<string>, model: Map<string, LeaseRecord>): void {
  if (action.do === 'put') {
    table.put(action.record)
    model.set(action.record.key, action.record)
  } else if (action.do === 'delete') {
    table.delete(action.key)
    model.delete(action.key)
  } else if (action.do === 'replaceAll') {
    table.replaceAll(action.records)
    model.clear()
    for (const listed of action.records) model.set(listed.key, listed)
  }
}

/** Applies what the table reports, as the reconciler would, and checks that no claim is held twice on the way. */
function drainInto(followed: Map<string, string>, table: PeerTable<string>): void {
  let sawSet = false
  for (const { key: name, entries } of table.drain()) {
    if (entries === undefined) {
      expect(sawSet).toBe(false)
      expect(followed.delete(name)).toBe(true)
    } else {
      sawSet = true
      followed.set(name, entries)
    }
  }
}

describe('PeerTable', () => {
  it('always ends where judging everything from scratch would, and reports every step of the way', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new PeerTable(judge)
        const model = new Map<string, LeaseRecord>()
        const followed = new Map<string, string>()
        for (const action of [...steps, { do: 'drain' } as const]) {
          take(action, table, model)
          if (action.do !== 'drain') continue
          drainInto(followed, table)
          const expected = inForce(model)
          expect(Object.fromEntries(followed)).toEqual(Object.fromEntries(expected))
          expect(table.size).toBe(expected.size)
          expect([...table.rejected.keys()].toSorted()).toEqual(
            [...model.keys()].filter((name) => !expected.has(name)).toSorted(),
          )
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
