import { describe, expect, test } from 'vitest'

import { challengeContract } from '../../contract/challenge-contract.ts'
import { leaseStoreContract } from '../../contract/lease-store-contract.ts'
import { fakeHarness } from '../../fake/fake-harness.ts'
import { FakeLeaseStore } from '../../fake/fake-lease-store.ts'

leaseStoreContract('FakeLeaseStore', () => Promise.resolve(fakeHarness()))
challengeContract('FakeLeaseStore', () => Promise.resolve(fakeHarness()))

describe('the faults of FakeLeaseStore', () => {
  const signal = new AbortController().signal
  const grant = { kind: 'grant', ttlSeconds: 10 } as const

  test('a fault hits the next call of its kind only', async () => {
    const store = new FakeLeaseStore()
    store.failNext('list', { code: 'PERMISSION_DENIED' })
    await expect(store.list(signal)).rejects.toMatchObject({ code: 'PERMISSION_DENIED', retryable: false })
    await store.list(signal)
  })

  test('a write whose answer is lost has taken effect', async () => {
    const store = new FakeLeaseStore()
    store.failNext('create', { code: 'UNAVAILABLE', applied: true })
    await expect(store.create('10.1.0.0-24', 'one', grant, signal)).rejects.toMatchObject({ retryable: true })
    expect(store.etcd.get('10.1.0.0-24')?.value).toBe('one')
  })

  test('a hanging call ends with its signal', async () => {
    const store = new FakeLeaseStore()
    const release = store.hang('list')
    const stop = new AbortController()
    const hanging = store.list(stop.signal)
    stop.abort()
    await expect(hanging).rejects.toMatchObject({ code: 'ABORTED_BY_CALLER' })
    release()
    await store.list(signal)
  })

  test('etcd leases expire by the hand-driven clock, renewed ones later', async () => {
    const store = new FakeLeaseStore()
    const first = await store.create('10.1.0.0-24', 'one', grant, signal)
    await store.create('10.2.0.0-24', 'two', grant, signal)
    store.etcd.advance(9_999)
    expect(store.etcd.records).toHaveLength(2)
    if (first.ok) await store.keepAlive(first.record.etcdLeaseId, signal)
    store.etcd.advance(1)
    expect(store.etcd.records.map(({ key }) => key)).toEqual(['10.1.0.0-24'])
  })

  test('calls are counted, writes apart', async () => {
    const store = new FakeLeaseStore()
    await store.list(signal)
    await store.create('10.1.0.0-24', 'one', grant, signal)
    expect(store.calls.map(({ op }) => op)).toEqual(['list', 'create'])
    expect(store.writes).toEqual([{ op: 'create', target: '10.1.0.0-24' }])
  })
})
