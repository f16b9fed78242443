import { describe, expect, it } from 'vitest'
import { isSame, remember } from '../../../src/lease/known-record.ts'
import { leaseRecord } from '../../fake/samples.ts'

const KEY = '10.15.64.0-20'
const LONG = 'x'.repeat(2_000)

describe('what is remembered of a record', () => {
  it.each([
    ['an accepted one', LONG, false],
    ['a short one that was rejected', 'x'.repeat(1_024), true],
  ])('is all of it, to be judged again: %s', (_, value, isRejected) => {
    const record = leaseRecord(KEY, value)
    expect(remember(record, isRejected).record).toBe(record)
  })

  it('is no more than a digest of a long one that was rejected', () => {
    const known = remember(leaseRecord(KEY, LONG), true)
    expect(known.record).toBeUndefined()
    expect(
      JSON.stringify(known, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    ).not.toContain('xx')
  })

  it.each([true, false])('tells the same record from another, rejected or not: %s', (isRejected) => {
    const record = leaseRecord(KEY, LONG)
    const known = remember(record, isRejected)
    expect(isSame(known, { ...record })).toBe(true)
    expect(isSame(known, { ...record, modRevision: record.modRevision + 1n })).toBe(false)
    expect(isSame(known, { ...record, createRevision: record.createRevision + 1n })).toBe(false)
    for (const value of [`${LONG}x`, `y${LONG.slice(1)}`, `${LONG.slice(1)}y`, `${LONG.slice(2)}yx`, ''])
      expect(isSame(known, { ...record, value })).toBe(false)
  })
})
