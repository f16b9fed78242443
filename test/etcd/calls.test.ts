import { setMaxListeners } from 'node:events'

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import { EtcdHarness, openStore } from './etcd-harness.ts'

const { signal } = new AbortController()
setMaxListeners(0, signal)
const DEADLINE = { timeout: 30_000, interval: 20 }

describe('calls to a real etcd', () => {
  let harness: EtcdHarness
  beforeAll(async () => {
    harness = await EtcdHarness.start()
  })
  afterEach(() => harness.reset())
  afterAll(() => harness.close())

  /** Somebody else's etcd lease that our keys may hang on. */
  async function foreignEtcdLease(): Promise<string> {
    await harness.cluster.etcdctl(['lease', 'grant', '600'])
    const [id] = await harness.etcdLeaseIds()
    if (id === undefined) throw new Error('no etcd lease was granted')
    return id
  }

  const valueOf = async (key: string): Promise<string | undefined> => {
    const { records } = await outside.list(signal)
    return records.find((record) => record.key === key)?.value
  }
  const outside = { list: (abort: AbortSignal) => openStore({ endpoints: harness.cluster.endpoints }).list(abort) }

  test('a create whose answer is lost succeeds', async () => {
    const store = harness.open()
    const etcdLeaseId = await foreignEtcdLease()
    await store.list(signal)
    harness.proxy.swallowAnswers()
    const creating = store.create('10.1.0.0-24', 'ours', { kind: 'attach', etcdLeaseId }, signal)
    await expect.poll(() => valueOf('10.1.0.0-24'), DEADLINE).toBe('ours')
    harness.proxy.pass()
    harness.proxy.cut()
    expect(await creating).toMatchObject({ ok: true, record: { value: 'ours', etcdLeaseId } })
  })

  test('a replace whose answer is lost succeeds', async () => {
    const store = harness.open()
    const first = await store.create('10.1.0.0-24', 'first', { kind: 'grant', ttlSeconds: 600 }, signal)
    if (!first.ok) throw new Error('refused')
    harness.proxy.swallowAnswers()
    const replacing = store.replace(first.record, 'second', signal)
    await expect.poll(() => valueOf('10.1.0.0-24'), DEADLINE).toBe('second')
    harness.proxy.pass()
    harness.proxy.cut()
    const result = await replacing
    expect(result).toMatchObject({ ok: true, record: { value: 'second', etcdLeaseId: first.record.etcdLeaseId } })
    expect(result.ok && result.record.modRevision > first.record.modRevision).toBe(true)
  })

  test('a create whose answer is lost while another takes the key fails and keeps the other', async () => {
    const store = harness.open()
    const etcdLeaseId = await foreignEtcdLease()
    await store.list(signal)
    harness.proxy.swallowAnswers()
    const creating = store.create('10.1.0.0-24', 'ours', { kind: 'attach', etcdLeaseId }, signal)
    await expect.poll(() => valueOf('10.1.0.0-24'), DEADLINE).toBe('ours')
    await harness.put('10.1.0.0-24', 'theirs')
    harness.proxy.pass()
    harness.proxy.cut()
    await expect(creating).rejects.toMatchObject({ op: 'create', retryable: true })
    expect(await valueOf('10.1.0.0-24')).toBe('theirs')
  })

  test('a create through a dead connection leaves no etcd lease that holds a key unknown to us', async () => {
    const store = harness.open({ callTimeoutMs: 500 })
    await store.list(signal)
    harness.proxy.swallowAnswers()
    const creating = store.create('10.1.0.0-24', 'ours', { kind: 'grant', ttlSeconds: 600 }, signal)
    await expect(creating).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', retryable: true })
    expect(await valueOf('10.1.0.0-24')).toBeUndefined()
  })

  test('every call ends by its deadline when etcd is frozen', async () => {
    const store = harness.open({ callTimeoutMs: 300 })
    const { records } = await store.list(signal)
    expect(records).toEqual([])
    harness.cluster.member.freeze()
    const absent = { key: '10.9.0.0-24', value: 'v', etcdLeaseId: '0', createRevision: 1n, modRevision: 1n }
    try {
      const calls = [
        store.readConfig(signal),
        store.list(signal),
        store.create('10.9.0.0-24', 'v', { kind: 'grant', ttlSeconds: 600 }, signal),
        store.replace(absent, 'w', signal),
        store.remove(absent, signal),
        store.keepAlive('4711', signal),
      ]
      const timeout = { code: 'DEADLINE_EXCEEDED', retryable: true }
      await Promise.all(calls.map((call) => expect(call).rejects.toMatchObject(timeout)))
    } finally {
      harness.cluster.member.thaw()
    }
  })

  test('a hanging call ends at once when aborted', async () => {
    const store = harness.open()
    await store.list(signal)
    harness.cluster.member.freeze()
    try {
      const stop = new AbortController()
      const hanging = store.list(stop.signal)
      const abortedAtMs = performance.now()
      stop.abort()
      await expect(hanging).rejects.toMatchObject({ code: 'ABORTED_BY_CALLER' })
      expect(performance.now() - abortedAtMs).toBeLessThan(500)
    } finally {
      harness.cluster.member.thaw()
    }
  })

  test('moves on from an endpoint that is dead, and from one that is no etcd', async () => {
    const [endpoint = ''] = harness.cluster.endpoints
    for (const wrong of ['http://127.0.0.1:1', `http://127.0.0.1:${harness.cluster.member.place.peerPort}`]) {
      const store = openStore({ endpoints: [wrong, endpoint] }, { random: () => 0 })
      expect((await store.list(signal)).records).toEqual([])
      store.close()
    }
  })

  test('lists 5 000 leases of over 4 MB, however many are in a page', async () => {
    const store = harness.open()
    const value = 'x'.repeat(1_000)
    const write = async (at: number): Promise<void> => {
      await store.create(`10.${at >> 8}.${at & 255}.0-24`, value, { kind: 'reservation' }, signal)
    }
    for (let at = 0; at < 5_000; at += 100)
      await Promise.all(Array.from({ length: 100 }, (_, offset) => write(at + offset)))
    for (const pageSize of [100, 10_000])
      expect((await harness.open({ pageSize }).list(signal)).records).toHaveLength(5_000)
  })
})
