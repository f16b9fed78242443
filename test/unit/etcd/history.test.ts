import { describe, expect, test } from 'vitest'

import { KnownRecords } from '../../../src/etcd/history.ts'
import type { LeaseRecord } from '../../../src/lease/store.ts'

function record(key: string, revision: number, fields: Partial<LeaseRecord> = {}): LeaseRecord {
  const modRevision = BigInt(revision)
  return { key, value: `${key} at ${revision}`, etcdLeaseId: '7', createRevision: modRevision, modRevision, ...fields }
}

describe('records that a watch knows', () => {
  const [a, b] = [record('a', 3), record('b', 5)]

  test('agree with a store that holds them', () => {
    const known = new KnownRecords([a, b])
    expect(known.contradict({ count: 2, newest: b })).toBe(false)
    known.apply([{ kind: 'deleted', key: 'b', revision: 6n }])
    expect(known.contradict({ count: 1, newest: a })).toBe(false)
    known.apply([{ kind: 'deleted', key: 'a', revision: 7n }])
    expect(known.contradict({ count: 0, newest: undefined })).toBe(false)
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
    expect(new KnownRecords([a, b]).contradict(past)).toBe(true)
  })

  test('say nothing where they are not known', () => {
    expect(new KnownRecords(undefined).contradict({ count: 9, newest: a })).toBe(false)
  })
})
