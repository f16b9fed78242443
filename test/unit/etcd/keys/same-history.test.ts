import { describe, expect, test } from 'vitest'

import { contradicts, KnownRecords, type PastState } from '../../../../src/etcd/keys/same-history.ts'
import type { LeaseRecord } from '../../../../src/lease/store.ts'

function record(key: string, revision: number, fields: Partial<LeaseRecord> = {}): LeaseRecord {
  const modRevision = BigInt(revision)
  return { key, value: `${key} at ${revision}`, etcdLeaseId: '7', createRevision: modRevision, modRevision, ...fields }
}

function knowing(records: readonly LeaseRecord[]): KnownRecords {
  const known = new KnownRecords(true)
  for (const step of known.takingIn(records)) expect(step).toBeUndefined()
  return known
}

const contradicted = (known: KnownRecords, past: PastState): boolean | undefined => {
  const summary = known.summary()
  return summary && contradicts(past, summary)
}

describe('records that a watch knows', () => {
  const [a, b] = [record('a', 3), record('b', 5)]

  test('agree with a store that holds them', () => {
    const known = knowing([a, b])
    expect(contradicted(known, { count: 2, newest: b })).toBe(false)
    known.apply([{ kind: 'deleted', key: 'b', revision: 6n }])
    expect(contradicted(known, { count: 1, newest: a })).toBe(false)
    known.apply([{ kind: 'deleted', key: 'a', revision: 7n }])
    expect(contradicted(known, { count: 0, newest: undefined })).toBe(false)
  })

  test.each([
    ['fewer', { count: 1, newest: b }],
    ['more', { count: 3, newest: b }],
    ['none', { count: 0, newest: undefined }],
    ['another one as the newest', { count: 2, newest: record('c', 5) }],
    ['an older one as the newest', { count: 2, newest: a }],
    ['a newer one', { count: 2, newest: record('b', 6) }],
    ['one of another value', { count: 2, newest: { ...b, value: 'other' } }],
    ['one on another etcd lease', { count: 2, newest: { ...b, etcdLeaseId: '8' } }],
    ['one created at another time', { count: 2, newest: { ...b, createRevision: 4n } }],
  ])('contradict a store that holds %s', (_, past) => {
    for (const records of [
      [a, b],
      [b, a],
    ])
      expect(contradicted(knowing(records), past)).toBe(true)
  })

  test('say nothing where they are not known', () => {
    expect(contradicted(new KnownRecords(false), { count: 9, newest: a })).toBeUndefined()
  })

  test('agree with either of two that one transaction wrote', () => {
    const [c, d] = [record('c', 5), record('d', 5)]
    const known = knowing([a, c, d])
    expect(contradicted(known, { count: 3, newest: c })).toBe(false)
    expect(contradicted(known, { count: 3, newest: d })).toBe(false)
    expect(contradicted(known, { count: 3, newest: b })).toBe(true)
  })
})
