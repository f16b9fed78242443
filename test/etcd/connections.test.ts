import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import { WatchLog } from '../contract/lease-store-contract.ts'
import { EtcdHarness, openStore } from './etcd-harness.ts'

const { signal } = new AbortController()
const DEADLINE = { timeout: 30_000, interval: 20 }

describe('the connection to a real etcd', () => {
  let harness: EtcdHarness
  beforeAll(async () => {
    harness = await EtcdHarness.start()
  })
  afterEach(() => harness.reset())
  afterAll(() => harness.close())

  test('is given up when it was accepted and then never answered, and another one made', async () => {
    const store = harness.open()
    harness.proxy.blackHole()
    await expect(store.list(signal)).rejects.toMatchObject({ retryable: true })
    await expect.poll(() => harness.proxy.heldConnections, DEADLINE).toBe(0)
    const again = store.list(signal).then(() => 'works', String)
    await expect.poll(() => harness.proxy.heldConnections, DEADLINE).toBe(1)
    harness.proxy.pass()
    await again
    const passedAtMs = performance.now()
    await expect.poll(() => store.list(signal).then(() => 'works', String), DEADLINE).toBe('works')
    expect(performance.now() - passedAtMs).toBeLessThan(3_000)
  })

  test('is given up by a watch, too, when its machine went and what came after it hangs', async () => {
    const store = harness.open()
    const log = new WatchLog(store, await store.list(signal))
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
    harness.proxy.blackHole()
    harness.proxy.cut()
    await expect.poll(() => harness.proxy.heldConnections, DEADLINE).toBeGreaterThan(0)
    await harness.put('10.1.0.0-24', 'one')
    harness.proxy.pass()
    const passedAtMs = performance.now()
    await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one'])
    expect(performance.now() - passedAtMs).toBeLessThan(15_000)
    log.abort()
  })

  test('does not pile up in front of a process that stands still, and works seconds after it goes on', async () => {
    const store = harness.open({ callTimeoutMs: 500 })
    harness.cluster.member.freeze()
    onTestFinished(() => {
      harness.cluster.member.thaw()
    })
    for (let attempt = 0; attempt < 5; attempt++)
      await expect(store.list(signal)).rejects.toMatchObject({ retryable: true })
    expect(harness.proxy.openConnections).toBeLessThanOrEqual(1)
    harness.cluster.member.thaw()
    await expect.poll(() => store.list(signal).then(() => 'works', String), DEADLINE).toBe('works')
  })

  test('is one again seconds after a call has moved to another address, where the watch follows it', async () => {
    const endpoints = [harness.proxy.endpoint, ...harness.cluster.endpoints]
    const store = openStore({ endpoints }, { random: () => 0, callTimeoutMs: 1_000 })
    const log = new WatchLog(store, await store.list(signal))
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
    harness.proxy.swallowAnswers()
    await store.list(signal)
    harness.proxy.pass()
    expect(log.connection).toEqual(['up'])
    expect(harness.proxy.openConnections).toBe(1)
    await expect.poll(() => log.connection, { ...DEADLINE, timeout: 10_000 }).toEqual(['up', 'down', 'up'])
    expect(harness.proxy.openConnections).toBe(0)
    await harness.put('10.1.0.0-24', 'one')
    await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one'])
    log.abort()
    store.close()
  })

  test('is one for all calls and watches, and a slow call on it disturbs no other', async () => {
    const store = harness.open({ callTimeoutMs: 1_000 })
    const log = new WatchLog(store, await store.list(signal))
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
    await expect.poll(() => harness.proxy.openConnections, DEADLINE).toBe(1)
    harness.proxy.swallowAnswers()
    await expect(store.list(signal)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(harness.proxy.openConnections).toBe(1)
    expect(log.connection).toEqual(['up'])
    log.abort()
  })
})
