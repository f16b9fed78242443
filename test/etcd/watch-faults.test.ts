import { setMaxListeners } from 'node:events'

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import type { EtcdLeaseStore } from '../../src/etcd/etcd-lease-store.ts'
import { WatchLog } from '../contract/lease-store-contract.ts'
import { FOUND_DEAD_WITHIN_MS } from '../lab/etcd-process.ts'
import { EtcdHarness, openStore, PREFIX } from './etcd-harness.ts'

const { signal } = new AbortController()
setMaxListeners(0, signal)
const DEADLINE = { timeout: 30_000, interval: 20 }

describe('a watch on a real etcd', () => {
  let harness: EtcdHarness
  let store: EtcdLeaseStore
  let log: WatchLog
  /** Past the proxy: what others do goes on whatever happens to our connection. */
  let outside: EtcdLeaseStore
  beforeAll(async () => {
    harness = await EtcdHarness.start(['--experimental-watch-progress-notify-interval', '200ms'])
  })
  beforeEach(async () => {
    outside = openStore({ endpoints: harness.cluster.endpoints })
    store = harness.open()
    log = new WatchLog(store, await store.list(signal))
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
  })
  afterEach(async () => {
    log.abort()
    outside.close()
    await harness.reset()
  })
  afterAll(() => harness.close())

  /** Creates keys `from` … `to` - 1, many at a time. @returns what a watch must show */
  async function createMany(from: number, to: number): Promise<readonly string[]> {
    const keys = Array.from({ length: to - from }, (_, at) => `10.${(from + at) >> 8}.${(from + at) & 255}.0-24`)
    for (let at = 0; at < keys.length; at += 50)
      await Promise.all(keys.slice(at, at + 50).map((key) => outside.create(key, 'v', { kind: 'reservation' }, signal)))
    return keys.map((key) => `+${key}=v`)
  }

  function expectInOrder(): void {
    const revisions = log.events.map((event) => (event.kind === 'deltas' ? event.revision : 0n))
    expect(revisions).toEqual([...revisions].sort((a, b) => (a < b ? -1 : 1)))
  }

  test('loses and doubles nothing of 5 000 changes while its connection is cut again and again', async () => {
    const [changes, cuts] = [5_000, 25]
    const expected: string[] = []
    for (let cut = 0; cut < cuts; cut++) {
      const written = createMany((cut * changes) / cuts, ((cut + 1) * changes) / cuts)
      // in the middle of the stream, as soon as something of this part has come
      await expect.poll(() => log.changes.length, DEADLINE).toBeGreaterThan((cut * changes) / cuts)
      harness.proxy.cut()
      expected.push(...(await written))
      await expect.poll(() => log.losses.length, DEADLINE).toBe(cut + 1)
      await expect.poll(() => log.changes.length, DEADLINE).toBe(expected.length)
    }
    expect([...log.changes].sort()).toEqual(expected.sort())
    expectInOrder()
  }, 120_000)

  test('tells keys that are no UTF-8 apart, and knows the store again after each reconnection', async () => {
    const names = ['10.1.0.0-24', '\\xfe', '\\xff', '\\x5cxff']
    for (const name of names) await outside.create(name, 'v', { kind: 'reservation' }, signal)
    const listed = await harness.cluster.etcdctl(['get', '--prefix', '--keys-only', '-w', 'json', `${PREFIX}/subnets/`])
    for (const end of [Buffer.of(0xfe), Buffer.of(0xff), Buffer.from('\\xff')])
      expect(listed).toContain(Buffer.concat([Buffer.from(`${PREFIX}/subnets/`), end]).toString('base64'))
    log.abort()
    const list = await store.list(signal)
    expect(list.records.map(({ key }) => key).toSorted()).toEqual(names.toSorted())
    // without chance the store's history is examined at once
    log = new WatchLog(harness.open({ random: () => 0 }), list)
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
    for (let cut = 1; cut <= 3; cut++) {
      harness.proxy.cut()
      await expect.poll(() => log.connection, DEADLINE).toHaveLength(1 + 2 * cut)
      await harness.put('10.2.0.0-24', String(cut))
      await expect.poll(() => log.changes.at(-1), DEADLINE).toBe(`+10.2.0.0-24=${cut}`)
    }
    expect(log.events.map(({ kind }) => kind)).toEqual(['deltas', 'deltas', 'deltas'])
  })

  test('resumes from what progress notifications said, so that a compaction of foreign history does not end it', async () => {
    for (const value of ['x', 'y']) await harness.cluster.etcdctl(['put', '/elsewhere', value])
    const before = harness.proxy.bareHeaders
    await expect.poll(() => harness.proxy.bareHeaders - before, DEADLINE).toBeGreaterThan(3)
    await harness.compact()
    harness.proxy.cut()
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up', 'down', 'up'])
    await harness.put('10.1.0.0-24', 'one')
    await expect.poll(() => log.events, DEADLINE).toMatchObject([{ kind: 'deltas' }])
  })

  test('keeps a revision whole that is too large for one message', async () => {
    const granted = await outside.create('10.200.0.0-24', 'v', { kind: 'grant', ttlSeconds: 600 }, signal)
    if (!granted.ok) throw new Error('refused')
    const { etcdLeaseId } = granted.record
    const longKey = 'k'.repeat(30_000)
    const names = Array.from({ length: 120 }, (_, at) => `${longKey}${at}`)
    for (const name of names) await outside.create(name, 'v', { kind: 'attach', etcdLeaseId }, signal)
    await expect.poll(() => log.changes.length, DEADLINE).toBe(121)
    await harness.revoke(etcdLeaseId)
    await expect.poll(() => log.changes.length, DEADLINE).toBe(122)
    expect(log.changes.at(-1)?.split(',')).toHaveLength(121)
  })

  test('notices a frozen etcd and catches up when it thaws', async () => {
    await createMany(0, 1)
    const frozenAtMs = performance.now()
    harness.cluster.member.freeze()
    await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
    expect(performance.now() - frozenAtMs).toBeLessThan(FOUND_DEAD_WITHIN_MS)
    harness.cluster.member.thaw()
    await createMany(1, 10)
    await expect.poll(() => log.changes.length, DEADLINE).toBe(10)
    expect(log.connection.at(-1)).toBe('up')
  })

  test('goes on over restarts of etcd, orderly and not', async () => {
    for (const how of ['SIGTERM', 'SIGKILL'] as const) {
      const seen = log.changes.length
      await harness.cluster.member.stop(how)
      await expect.poll(() => log.connection.at(-1), DEADLINE).toBe('down')
      await harness.cluster.restart()
      await createMany(seen, seen + 20)
      await expect.poll(() => log.changes.length, DEADLINE).toBe(seen + 20)
    }
    expect(log.connection).toEqual(['up', 'down', 'up', 'down', 'up'])
  })

  test('leaves no connection behind', async () => {
    log.abort()
    await expect.poll(() => log.ended, DEADLINE).toBe(true)
    store.close()
    await expect.poll(() => harness.proxy.openConnections, DEADLINE).toBe(0)
  })
})
