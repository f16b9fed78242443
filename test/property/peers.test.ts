import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PeerTable } from '../../src/lease/peers/peer-table.ts'
import type { LeaseRecord } from '../../src/lease/store.ts'
import { leaseRecord } from '../fake/samples.ts'
import { fuzzRuns } from './fuzz-runs.ts'
import { judgeBy, PeersModel, type Bad } from './peers-model.ts'

const TOKENS = [
  ...['m1', 'm2', 'm3', 'm4', 'x', 'node'],
  ...['10.0.0.0/8', '10.0.0.0/16', '10.0.0.0/24', '10.0.1.0/24', '10.0.1.128/25', '10.0.1.130/32', '10.1.0.0/16'],
  ...['fd00::/48', 'fd00::/64', 'fd00:0:0:1::/64'],
  ...['@10.0.0.5', '@10.0.1.130', '@10.1.2.3', '@192.168.0.1', '@fd00::5', '@fd00:0:0:1::7'],
]

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g')
const value = fc.uniqueArray(fc.constantFrom(...TOKENS), { maxLength: 4 }).map((tokens) => tokens.join(' '))
const record = fc
  .record({ key, value, created: fc.integer({ min: 1, max: 5 }), later: fc.integer({ min: 0, max: 6 }) })
  .map(({ key: name, value: text, created, later }) =>
    leaseRecord(name, text, { createRevision: BigInt(created), modRevision: BigInt(created + later) }),
  )

type Step =
  | { readonly do: 'put'; readonly record: LeaseRecord }
  | { readonly do: 'delete' | 'retire'; readonly key: string }
  | {
      readonly do: 'replaceAll'
      readonly records: readonly LeaseRecord[]
      readonly keep: readonly string[]
      readonly wasReset: boolean
    }
  | { readonly do: 'rejudge'; readonly bad: string }
  | { readonly do: 'answer'; readonly record: LeaseRecord }
  | { readonly do: 'drain' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: record.map((put) => ({ do: 'put', record: put }) as const) },
  { weight: 2, arbitrary: key.map((name) => ({ do: 'delete', key: name }) as const) },
  { weight: 1, arbitrary: key.map((name) => ({ do: 'retire', key: name }) as const) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.uniqueArray(record, { selector: (listed) => listed.key, maxLength: 7 }),
        fc.uniqueArray(key),
        fc.boolean(),
      )
      .map(([records, keep, wasReset]) => ({ do: 'replaceAll', records, keep, wasReset }) as const),
  },
  { weight: 1, arbitrary: fc.constantFrom('x', 'm1', '@10.0.0.5').map((bad) => ({ do: 'rejudge', bad }) as const) },
  { weight: 3, arbitrary: fc.constant({ do: 'drain' } as const) },
)

/** Questions are those of the last drain. */
const answer: fc.Arbitrary<readonly Step[]> = record.map((said) => [{ do: 'drain' }, { do: 'answer', record: said }])
const steps = fc
  .array(fc.oneof({ weight: 8, arbitrary: step.map((one) => [one]) }, { weight: 3, arbitrary: answer }), {
    maxLength: 20,
    size: 'medium',
  })
  .map((each) => each.flat())

/** Does the step to both. @returns whether it answered a question */
function take(action: Step, table: PeerTable<string>, model: PeersModel, bad: Bad): boolean {
  if (action.do === 'put') {
    table.put(action.record)
    model.put(action.record)
  } else if (action.do === 'delete') {
    table.delete(action.key)
    model.delete(action.key)
  } else if (action.do === 'retire') {
    table.retire(action.key)
    model.retire(action.key)
  } else if (action.do === 'replaceAll') {
    table.replaceAll(action.records, new Set(action.keep), action.wasReset)
    model.replaceAll(action.records, action.keep, action.wasReset)
  } else if (action.do === 'rejudge') {
    bad.token = action.bad
    table.rejudge()
  } else if (action.do === 'answer') {
    const question = table.nextQuestion()
    if (question === undefined) return false
    table.testify(question, { ...action.record, key: question.key })
    model.testify(question, action.record)
    return true
  }
  return false
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

/** The same of what is rejected, which another remembers by the changes alone. */
function followRejections(rejected: Map<string, string>, table: PeerTable<string>): void {
  for (const { key: name, reason } of table.takeRejections())
    if (reason === undefined) rejected.delete(name)
    else rejected.set(name, reason)
  expect(Object.fromEntries(rejected)).toEqual(Object.fromEntries(table.rejected))
}

describe('PeerTable', () => {
  it('always ends where hearing every claim from scratch, oldest first, would, and reports every step of the way', () => {
    const numRuns = fuzzRuns(2_000)
    let answers = 0
    fc.assert(
      fc.property(steps, (actions) => {
        const bad: Bad = { token: 'x' }
        const table = new PeerTable(judgeBy(bad))
        const model = new PeersModel()
        const [followed, rejected] = [new Map<string, string>(), new Map<string, string>()]
        for (const action of [...actions, { do: 'drain' } as const]) {
          if (take(action, table, model, bad)) answers++
          if (action.do !== 'drain') continue
          drainInto(followed, table)
          followRejections(rejected, table)
          const expected = model.inForce(bad)
          expect(Object.fromEntries(followed)).toEqual(expected)
          expect(table.size).toBe(Object.keys(expected).length)
          expect([...rejected.keys()].toSorted()).toEqual(model.keys.filter((name) => !(name in expected)).toSorted())
        }
      }),
      { numRuns },
    )
    expect(answers / numRuns, 'answers in a sequence').toBeGreaterThan(0.01)
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
      { numRuns: fuzzRuns(1_000) },
    )
  })
})

/** Two leases through time: each is written now and then, with the same content or with something that it has never said before. */
const history = fc
  .array(fc.record({ key: fc.constantFrom('a', 'b'), change: fc.constantFrom('same', 'name', 'address') }), {
    minLength: 2,
    maxLength: 12,
  })
  .chain((writes) =>
    fc.record({
      writes: fc.constant(writes),
      names: fc.record({ a: fc.shuffledSubarray(['m1', 'm2', 'm3']), b: fc.shuffledSubarray(['m1', 'm2', 'm3']) }),
      nodes: fc.record({ a: fc.boolean(), b: fc.boolean() }),
    }),
  )

const ADDRESSES = { a: ['@10.0.1.1', '@10.0.1.2', '@192.168.0.1'], b: ['@192.168.0.2', '@10.0.0.1', '@10.0.0.2'] }
const SUBNETS_OF = { a: '10.0.0.0/24', b: '10.0.1.0/24' }

describe('Whoever comes late to two leases in conflict', () => {
  it('finds by asking what somebody has seen who watched all along', () => {
    const numRuns = fuzzRuns(3_000)
    let asked = 0
    const written = history.map(({ writes, names, nodes }) => {
      const next = { a: { name: 0, address: 0 }, b: { name: 0, address: 0 } }
      const created: Partial<Record<'a' | 'b', bigint>> = {}
      return writes.map(({ key: name, change }, at): LeaseRecord => {
        const modRevision = BigInt(at + 1) * 3n
        if (created[name] !== undefined && change !== 'same') next[name][change]++
        const createRevision = (created[name] ??= modRevision)
        const address = ADDRESSES[name][next[name].address] ?? ''
        const text = [SUBNETS_OF[name], names[name][next[name].name] ?? '', address, nodes[name] ? 'node' : '']
        return leaseRecord(name, text.join(' ').replace(/ +/g, ' ').trim(), { createRevision, modRevision })
      })
    })
    fc.assert(
      fc.property(written, (records) => {
        const [early, late] = [new PeerTable(judgeBy({ token: 'x' })), new PeerTable(judgeBy({ token: 'x' }))]
        for (const one of records) early.put(one)
        late.replaceAll(['a', 'b'].flatMap((name) => records.findLast((one) => one.key === name) ?? []))
        const [seen, found] = [new Map<string, string>(), new Map<string, string>()]
        drainInto(seen, early)
        drainInto(found, late)
        let questions = 0
        for (let question = late.nextQuestion(); question !== undefined; question = late.nextQuestion()) {
          const { key: name, revision } = question
          late.testify(
            question,
            records.findLast((one) => one.key === name && one.modRevision <= revision),
          )
          drainInto(found, late)
          questions++
        }
        asked += questions
        expect(Object.fromEntries(found)).toEqual(Object.fromEntries(seen))
        expect(questions).toBeLessThan(20)
      }),
      { numRuns },
    )
    expect(asked / numRuns, 'questions about two leases').toBeGreaterThan(0.1)
  })
})
