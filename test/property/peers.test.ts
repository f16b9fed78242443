import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Claims } from '../../src/lease/peers/claims.ts'
import { PeerTable, type PeerVerdict } from '../../src/lease/peers/peer-table.ts'
import type { PeerRecord } from '../../src/lease/lease.ts'
import type { LeaseRecord } from '../../src/lease/store.ts'
import { ip } from '../../src/net/ip.ts'
import { prefix, prefixContains, prefixesOverlap } from '../../src/net/prefix.ts'
import { leaseRecord } from '../fake/samples.ts'

/** The value is what the lease claims: `m1` is a name, `10.0.0.0/24` a subnet, `@10.0.0.5` an address. */
function claimsOf(value: string): Claims {
  const tokens = value.split(' ').filter((token) => token !== '')
  return {
    names: tokens.filter((token) => token.startsWith('m')),
    subnets: tokens.filter((token) => token.includes('/')).map(prefix),
    addresses: tokens.filter((token) => token.startsWith('@')).map((token) => ip(token.slice(1))),
  }
}

/** What the judge goes by, and what may change: leases that name it are bad. */
interface Bad {
  token: string
}

const judgeBy =
  (bad: Bad) =>
  ({ value }: PeerRecord): PeerVerdict<string> =>
    value.split(' ').includes(bad.token) ? { rejected: 'bad' } : { accepted: value, claims: claimsOf(value) }

/** One that the model knows. */
interface Modelled {
  readonly record: LeaseRecord
  readonly retired: boolean
}
type Model = Map<string, Modelled>

function areInConflict(a: Claims, b: Claims): boolean {
  const covers = (x: Claims, y: Claims): boolean =>
    x.subnets.some((subnet) => y.addresses.some((address) => prefixContains(subnet, address)))
  return (
    a.names.some((name) => b.names.includes(name)) ||
    a.subnets.some((subnet) => b.subnets.some((other) => prefixesOverlap(subnet, other))) ||
    covers(a, b) ||
    covers(b, a)
  )
}

/** Who is in force by the rule as it is written: oldest first, each that is in conflict with nobody who is in force already. */
function inForce(model: Model, bad: Bad): Record<string, string> {
  const byAge = [...model.values()]
    .filter(({ record }) => !record.value.split(' ').includes(bad.token))
    .toSorted(
      (a, b) =>
        Number(a.retired) - Number(b.retired) ||
        Number(a.record.createRevision - b.record.createRevision) ||
        (a.record.key < b.record.key ? -1 : 1),
    )
  const chosen: LeaseRecord[] = []
  for (const { record } of byAge) {
    const claims = claimsOf(record.value)
    if (!chosen.some((other) => areInConflict(claimsOf(other.value), claims))) chosen.push(record)
  }
  return Object.fromEntries(chosen.map(({ key, value }) => [key, value]))
}

const TOKENS = [
  ...['m1', 'm2', 'm3', 'm4', 'x'],
  ...['10.0.0.0/8', '10.0.0.0/16', '10.0.0.0/24', '10.0.1.0/24', '10.0.1.128/25', '10.0.1.130/32', '10.1.0.0/16'],
  ...['fd00::/48', 'fd00::/64', 'fd00:0:0:1::/64'],
  ...['@10.0.0.5', '@10.0.1.130', '@10.1.2.3', '@192.168.0.1', '@fd00::5', '@fd00:0:0:1::7'],
]

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g')
const value = fc.array(fc.constantFrom(...TOKENS), { maxLength: 3 }).map((tokens) => tokens.join(' '))
const record = fc
  .record({ key, value, created: fc.integer({ min: 1, max: 5 }), modified: fc.integer({ min: 1, max: 4 }) })
  .map(({ key: name, value: text, created, modified }) =>
    leaseRecord(name, text, { createRevision: BigInt(created), modRevision: BigInt(modified) }),
  )

type Step =
  | { readonly do: 'put'; readonly record: LeaseRecord }
  | { readonly do: 'delete' | 'retire'; readonly key: string }
  | { readonly do: 'replaceAll'; readonly records: readonly LeaseRecord[]; readonly keep: readonly string[] }
  | { readonly do: 'rejudge'; readonly bad: string }
  | { readonly do: 'drain' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: record.map((put) => ({ do: 'put', record: put }) as const) },
  { weight: 2, arbitrary: key.map((name) => ({ do: 'delete', key: name }) as const) },
  { weight: 1, arbitrary: key.map((name) => ({ do: 'retire', key: name }) as const) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.uniqueArray(record, { selector: (listed) => listed.key, maxLength: 7 }), fc.uniqueArray(key))
      .map(([records, keep]) => ({ do: 'replaceAll', records, keep }) as const),
  },
  { weight: 1, arbitrary: fc.constantFrom('x', 'm1', '@10.0.0.5').map((bad) => ({ do: 'rejudge', bad }) as const) },
  { weight: 3, arbitrary: fc.constant({ do: 'drain' } as const) },
)

/** Does the step to both. The model only remembers the records. */
function take(action: Step, table: PeerTable<string>, model: Model, bad: Bad): void {
  if (action.do === 'put') {
    table.put(action.record)
    model.set(action.record.key, { record: action.record, retired: false })
  } else if (action.do === 'delete') {
    table.delete(action.key)
    model.delete(action.key)
  } else if (action.do === 'retire') {
    table.retire(action.key)
    retire(model, action.key)
  } else if (action.do === 'replaceAll') {
    table.replaceAll(action.records, new Set(action.keep))
    for (const name of [...model.keys()])
      if (action.keep.includes(name)) retire(model, name)
      else model.delete(name)
    for (const listed of action.records) model.set(listed.key, { record: listed, retired: false })
  } else if (action.do === 'rejudge') {
    bad.token = action.bad
    table.rejudge()
  }
}

function retire(model: Model, name: string): void {
  const known = model.get(name)
  if (known !== undefined) model.set(name, { ...known, retired: true })
}

/** Applies what the table reports, as the reconciler would: whoever goes has been there, and goes before others come. */
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
  it('always ends where judging everything from scratch, oldest first, would, and reports every step of the way', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const bad: Bad = { token: 'x' }
        const table = new PeerTable(judgeBy(bad))
        const model: Model = new Map()
        const followed = new Map<string, string>()
        for (const action of [...steps, { do: 'drain' } as const]) {
          take(action, table, model, bad)
          if (action.do !== 'drain') continue
          drainInto(followed, table)
          const expected = inForce(model, bad)
          expect(Object.fromEntries(followed)).toEqual(expected)
          expect(table.size).toBe(Object.keys(expected).length)
          expect([...table.rejected.keys()].toSorted()).toEqual(
            [...model.keys()].filter((name) => !(name in expected)).toSorted(),
          )
        }
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 2_000) },
    )
  })

  it('ends in one state whatever the order in which leases come', () => {
    const unique = fc.uniqueArray(record, { selector: (listed) => listed.key, maxLength: 7 })
    const orders = unique.chain((records) =>
      fc.tuple(fc.constant(records), fc.shuffledSubarray([...records], { minLength: records.length })),
    )
    fc.assert(
      fc.property(orders, ([records, shuffled]) => {
        const [listed, watched] = [new PeerTable(judgeBy({ token: 'x' })), new PeerTable(judgeBy({ token: 'x' }))]
        listed.replaceAll(records)
        const [first, second] = [new Map<string, string>(), new Map<string, string>()]
        drainInto(first, listed)
        for (const one of shuffled) {
          watched.put(one)
          drainInto(second, watched)
        }
        expect(Object.fromEntries(second)).toEqual(Object.fromEntries(first))
        expect(Object.fromEntries(watched.rejected)).toEqual(Object.fromEntries(listed.rejected))
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 1_000) },
    )
  })
})
