import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

import { Etcd3 } from 'etcd3'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'

import { Caller } from '../../src/etcd/client/call.ts'
import type { EtcdTools } from '../../src/etcd/etcd-lease-store.ts'
import { Keyspace } from '../../src/etcd/keys/keyspace.ts'
import type { LeaseList } from '../../src/lease/store.ts'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { asRangeRequest } from './asked-ranges.ts'
import { openStore, PREFIX } from './etcd-harness.ts'
import { WireRelay } from './wire-relay.ts'

const { signal } = new AbortController()
setMaxListeners(0, signal)
const LARGE = 'x'.repeat(1_400_000)
const TOO_LONG = 16_385

describe('a list of a real etcd', () => {
  let cluster: EtcdCluster
  let relay: WireRelay
  let others: Etcd3
  beforeAll(async () => {
    cluster = await EtcdCluster.start({ args: ['--max-request-bytes', String(40 << 20)] })
    relay = await WireRelay.start(cluster.member.place.clientPort)
    others = new Etcd3({ hosts: cluster.member.endpoint })
  })
  afterEach(async () => {
    relay.gate = () => undefined
    relay.calls.splice(0)
    await others.delete().prefix(PREFIX)
  })
  afterAll(async () => {
    others.close()
    relay.close()
    await cluster.close()
  })

  const put = async (key: string, value: string): Promise<void> => {
    await others.put(`${PREFIX}/subnets/${key}`).value(value)
  }
  const name = (at: number): string => `10.0.${at}.0-24`.padEnd(13, '_')
  async function putMany(from: number, to: number, value: string): Promise<void> {
    for (let at = from; at < to; at++) await put(String(at).padStart(5, '0'), value)
  }

  function list(tools: Partial<EtcdTools> = {}): Promise<LeaseList> {
    const store = openStore({ endpoints: [relay.endpoint] }, tools)
    onTestFinished(() => {
      store.close()
    })
    return store.list(signal)
  }

  /** Runs `work` after the first page was read, before the second is asked for. */
  function betweenPages(work: () => Promise<unknown>): void {
    let pages = 0
    relay.gate = async ({ path }) => {
      if (path.endsWith('/Range') && ++pages === 2) await work()
    }
  }
  const limits = (): readonly number[] =>
    relay.requestsTo('Range').map((bytes) => {
      const request = asRangeRequest(bytes)
      const isLimited = typeof request === 'object' && request !== null && 'limit' in request
      return isLimited ? Number(request.limit) : 0
    })
  const shown = ({ records }: LeaseList): readonly string[] => records.map(({ key, value }) => `${key}=${value}`)

  test('is of one revision in all its pages: what changes before a page is read is not in it', async () => {
    for (let at = 1; at < 10; at++) await put(name(at), 'before')
    betweenPages(async () => {
      await put(name(8), 'after')
      await put(`${name(8)}a`, 'after')
      await others.delete().key(`${PREFIX}/subnets/${name(9)}`)
    })
    const listed = await list()
    expect(shown(listed)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((at) => `${name(at)}=before`))
    expect(limits()).toHaveLength(2)
    expect(listed.records.every(({ modRevision }) => modRevision <= listed.revision)).toBe(true)
  })

  test('begins again when its revision is compacted between two pages, and is of a later one', async () => {
    for (let at = 1; at < 10; at++) await put(name(at), 'before')
    betweenPages(async () => {
      await put(name(8), 'after')
      const { header } = await others.get('any').exec()
      await cluster.etcdctl(['compact', '--physical', header.revision])
    })
    expect(shown(await list())).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8, 9].map((at) => `${name(at)}=${at === 8 ? 'after' : 'before'}`),
    )
    expect(limits()).toHaveLength(4)
  })

  test('asks for few keys first, for more and more while they are small, and for no more than it may', async () => {
    await putMany(0, 1_000, 'v')
    expect((await list({ pageSize: 300 })).records).toHaveLength(1_000)
    expect(limits()).toEqual([4, 32, 256, 300, 300, 300])
    relay.calls.splice(0)
    expect((await list({ pageSize: 2 })).records).toHaveLength(1_000)
    expect(new Set(limits())).toEqual(new Set([2]))
  })

  test('asks for fewer where they take long to come, and for more again when they do not', async () => {
    await putMany(0, 700, 'v')
    let pages = 0
    relay.gate = async ({ path }) => {
      if (path.endsWith('/Range') && ++pages === 3) await delay(2_000)
    }
    expect((await list()).records).toHaveLength(700)
    expect(limits().slice(0, 3)).toEqual([4, 32, 256])
    expect(limits()[3]).toBeGreaterThan(64)
    expect(limits()[3]).toBeLessThanOrEqual(128)
    expect(limits()[4]).toBeGreaterThan(256)
  })

  test('asks for the next page before anything is made of the one that has come', async () => {
    await putMany(0, 600, 'v')
    const [calls, records] = [vi.spyOn(Caller.prototype, 'call'), vi.spyOn(Keyspace.prototype, 'record')]
    onTestFinished(() => {
      vi.restoreAllMocks()
    })
    await list()
    const askedAt = (record: number): number => {
      const at = records.mock.invocationCallOrder[record] ?? 0
      return calls.mock.invocationCallOrder.filter((call) => call < at).length
    }
    // keys 0 to 3 are the first page's, by which the revision of all others is known; then 32, 256 and the rest
    expect([0, 4, 36, 292].map(askedAt)).toEqual([1, 3, 4, 4])
  })

  test('asks for single keys where values are large, and for many again behind them', async () => {
    await putMany(0, 6, LARGE)
    await putMany(6, 60, 'v')
    const { records } = await list()
    expect(records.map(({ value }) => value.length)).toEqual([
      ...Array<number>(6).fill(TOO_LONG),
      ...Array<number>(54).fill(1),
    ])
    expect(limits()).toEqual([4, 1, 1, 1, 8, 64])
  })

  test('asks for fewer of those that are larger than the ones before, until they come', async () => {
    await putMany(0, 36, 'v')
    await putMany(36, 60, LARGE)
    expect((await list()).records).toHaveLength(60)
    expect(limits().slice(0, 4)).toEqual([4, 32, 256, 32])
  })

  test('holds a key whose value is too large for any message, and all others', async () => {
    await put('a', 'one')
    await put('b', 'x'.repeat(20 << 20))
    await put('c', 'three')
    const { records } = await list()
    expect(records.map(({ key, value }) => [key, value.length])).toEqual([
      ['a', 3],
      ['b', TOO_LONG],
      ['c', 5],
    ])
  })
})
