import { beforeEach, describe, expect, it } from 'vitest'
import type { PeerRecord } from '../../../../src/lease/lease.ts'
import { PackedRecords } from '../../../../src/lease/packed/packed-records.ts'
import { leaseRecord, leaseValue } from '../../../fake/samples.ts'

const KEY = '10.15.64.0-20'
const SLOT = 7
const LONG = 'x'.repeat(2_000)
const PLAIN = leaseValue({ publicIp: '192.168.205.11', mac: '02:00:00:00:00:0a' })
const NAMED = leaseValue({
  publicIp: '192.168.205.11',
  mac: '02:00:00:00:00:0a',
  node: { id: 'n1', hostname: 'host1' },
})

let records: PackedRecords
beforeEach(() => {
  records = new PackedRecords()
})

describe('what is kept of a record', () => {
  it.each([
    ['a plain one', PLAIN, false],
    ['a plain one that was rejected', PLAIN, true],
    ['one that names its node', NAMED, false],
    [
      'one as v0.6 wrote it',
      '{"PublicIP":"192.168.205.11","BackendType":"vxlan","BackendData":{"VtepMAC":"02:00:00:00:00:0a"}}',
      false,
    ],
    ['of a backend without data', '{"PublicIP":"192.168.205.11","PublicIPv6":null,"BackendType":"host-gw"}', false],
    ['one that is written otherwise', ` ${PLAIN}`, false],
    ['a long one', LONG, false],
    ['a short one that was rejected', 'x'.repeat(1_024), true],
    ['an empty one', '', true],
  ])('is all of it, to be judged again: %s', (_, value, isRejected) => {
    const record = leaseRecord(KEY, value)
    records.set(SLOT, record, isRejected)
    expect(records.record(SLOT)).toEqual(record)
  })

  it.each([
    '7587869317402158347',
    '-5',
    '0',
    '1',
    '9223372036854775807',
    '9223372036854775808',
    '007',
    'none',
    undefined,
  ])('names its etcd lease, if it has one: %s', (etcdLeaseId) => {
    const { key, value, createRevision, modRevision } = leaseRecord(KEY, PLAIN)
    const record = { key, value, createRevision, modRevision, ...(etcdLeaseId !== undefined && { etcdLeaseId }) }
    records.set(SLOT, leaseRecord('before', NAMED, { etcdLeaseId: 'other' }), false)
    records.set(SLOT, record, false)
    expect(records.record(SLOT)).toStrictEqual(record)
  })

  it('is nothing of a long one that was rejected but that it is the same', () => {
    const record = leaseRecord(KEY, LONG)
    records.set(SLOT, record, true)
    expect(records.record(SLOT)).toBeUndefined()
    expect([records.isSame(SLOT, record), records.saysSame(SLOT, LONG)]).toEqual([true, false])
  })

  it('goes with the slot', () => {
    records.set(SLOT, leaseRecord(KEY, NAMED), false)
    records.clear(SLOT)
    expect(records.record(SLOT)).toBeUndefined()
    records.set(SLOT, leaseRecord(KEY, PLAIN), false)
    expect(records.record(SLOT)?.value).toBe(PLAIN)
  })

  it.each([
    [PLAIN, false],
    [NAMED, false],
    [LONG, false],
    [LONG, true],
  ])('tells the same record from another: %#', (value, isRejected) => {
    const record = leaseRecord(KEY, value)
    records.set(SLOT, record, isRejected)
    const isSame = (change: Partial<PeerRecord>): boolean => records.isSame(SLOT, { ...record, ...change })
    expect(isSame({})).toBe(true)
    expect(isSame({ modRevision: record.modRevision + 1n })).toBe(false)
    expect(isSame({ createRevision: record.createRevision + 1n })).toBe(false)
    const others = [`${value}x`, `y${value.slice(1)}`, `${value.slice(1)}y`, `${value.slice(2)}yx`, '']
    const near = ['192.168', '"VNI":', '02:00', ':0a', 'vxlan', 'n1', 'host1'].map((part) => value.replace(part, '9'))
    for (const other of [...others, ...near])
      expect([other, isSame({ value: other })]).toEqual([other, other === value])
  })
})
