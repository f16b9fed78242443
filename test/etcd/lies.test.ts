import { setMaxListeners } from 'node:events'

import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import type { EtcdLeaseStore } from '../../src/etcd/etcd-lease-store.ts'
import { WatchLog } from '../contract/lease-store-contract.ts'
import { openStore } from './etcd-harness.ts'
import { kv, LyingEtcd, type Lie, type Message } from './lying-etcd.ts'

const { signal } = new AbortController()
setMaxListeners(0, signal)
const DEADLINE = { timeout: 30_000, interval: 20 }
const MOST = '9223372036854775807'
const LEAST = '-9223372036854775808'

const lease = (at: number, fields: Message = {}): Message => kv(`subnets/10.${at}.0.0-24`, fields)
const list = (...kvs: readonly Message[]): Message => ({ kvs, count: String(kvs.length), more: false })
const put = (at: number, revision: string): Message => ({
  type: 'Put',
  kv: lease(at, { create_revision: revision, mod_revision: revision }),
})
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern)

describe('an etcd that lies', () => {
  let etcd: LyingEtcd
  let store: EtcdLeaseStore
  beforeEach(async () => {
    etcd = await LyingEtcd.start()
  })
  afterEach(() => {
    store.close()
    etcd.close()
  })

  function open(): EtcdLeaseStore {
    store = openStore({ endpoints: [etcd.endpoint] })
    return store
  }

  describe('about what it holds', () => {
    const LIES: readonly (readonly [what: string, lie: Lie, says: RegExp])[] = [
      [
        'sends the same page for ever',
        () => ({ ...list(lease(1)), count: '9', more: true }),
        /10\.1\.0\.0-24.*nobody asked/,
      ],
      [
        'has always more to come',
        (_, { header }) => ({ header, kvs: [], count: '9', more: true }),
        /more keys to come/,
      ],
      ['ends before all have come', () => ({ ...list(lease(1)), count: '2' }), /no more keys to come, where 1/],
      ['goes on after all have come', () => ({ ...list(lease(1)), more: true }), /more keys to come, where 0/],
      ['counts less than it sends', () => ({ ...list(lease(1), lease(2)), count: '1' }), /2 keys, counted as 1/],
      ['counts less than nothing', () => ({ ...list(), count: LEAST }), /counted as -9223372036854775808/],
      ['counts more than any', () => ({ ...list(lease(1)), count: MOST, more: true }), /9223372036854775807 keys/],
      ['sends more than was asked for', () => list(...[1, 2, 3, 4, 5].map((at) => lease(at))), /5 keys where 4/],
      ['repeats a key', () => list(lease(1), lease(1)), /out of order/],
      ['sends them out of order', () => list(lease(2), lease(1)), /out of order/],
      ['sends a key from beside', () => list(kv('subnets0')), /"\/coreos\.com\/network\/subnets0"/],
      ['sends the whole store', () => list(kv('../secret')), /secret.*nobody asked for/],
      ['sends a key of control characters', () => list(kv('\u001b[2J\n')), /network\/\?\[2J\?"/],
      ['sends an empty key', () => list({ ...lease(1), key: Buffer.of() }), /nobody asked for/],
      ['has no header', () => ({ ...list(lease(1)), header: undefined }), /without a header/],
      ['is at revision 0', (_, truth) => ({ ...truth, header: { ...etcd.header, revision: '0' } }), /revision 0/],
      [
        'is before the beginning',
        (_, truth) => ({ ...truth, header: { ...etcd.header, revision: LEAST } }),
        /revision -9/,
      ],
      [
        'has keys of no revision',
        () => list(lease(1, { mod_revision: '0', create_revision: '0' })),
        /revisions 0 and 0/,
      ],
      ['has keys of the future', () => list(lease(1, { mod_revision: MOST })), /and 9223372036854775807, at/],
      ['has keys older than themselves', () => list(lease(1, { create_revision: '6' })), /revisions 6 and 5/],
    ]

    test.each(LIES)('that %s is not believed, and said; the truth is, afterwards', async (_, lie, says) => {
      etcd.keys = [lease(1), lease(2)]
      etcd.lies.set('Range', (request, truth) => ({ header: truth['header'], ...lie(request, truth) }))
      const failure = { op: 'list', code: 'PROTOCOL', retryable: true, message: matching(says) }
      await expect(open().list(signal)).rejects.toMatchObject(failure)
      expect(etcd.asked.get('Range')).toBeLessThan(3)
      etcd.lies.clear()
      expect((await store.list(signal)).records).toHaveLength(2)
    })

    test('is asked at another address, where there is one', async () => {
      const honest = await LyingEtcd.start()
      honest.keys = [lease(1)]
      etcd.lies.set('Range', () => ({ ...list() }))
      store = openStore({ endpoints: [etcd.endpoint, honest.endpoint] }, { random: () => 0 })
      expect((await store.list(signal)).records).toHaveLength(1)
      honest.close()
    })

    test('is asked on and on by whoever follows the configuration, and believed once it tells the truth', async () => {
      etcd.keys = [kv('config', { value: Buffer.from('the truth') })]
      etcd.lies.set('Range', () => ({ header: etcd.header, ...list(kv('subnets/a', { value: Buffer.from('a lie') })) }))
      await expect(open().readConfig(signal)).rejects.toMatchObject({
        message: matching(/reading the configuration.*subnets\/a/),
      })
      const told: (string | undefined)[] = []
      const stop = new AbortController()
      onTestFinished(() => {
        stop.abort()
      })
      void (async () => {
        for await (const config of store.watchConfig(stop.signal)) told.push(config?.value)
      })()
      await expect.poll(() => etcd.asked.get('Range'), DEADLINE).toBeGreaterThan(3)
      etcd.lies.clear()
      await expect.poll(() => told, DEADLINE).toEqual(['the truth'])
    })
  })

  describe('about what it does', () => {
    const granted = { kind: 'grant', ttlSeconds: 600 } as const
    const create = (): Promise<unknown> => store.create('10.1.0.0-24', 'v', granted, signal)
    const refused =
      (what: Message): Lie =>
      () => ({ header: etcd.header, succeeded: false, responses: [what] })

    test.each<[string, string, Lie, RegExp]>([
      ['no etcd lease', 'LeaseGrant', (_, truth) => ({ ...truth, ID: '0' }), /etcd lease 0/],
      ['an etcd lease below 0', 'LeaseGrant', (_, truth) => ({ ...truth, ID: LEAST }), /etcd lease -9/],
      [
        'an etcd lease that ends at once',
        'LeaseGrant',
        (_, truth) => ({ ...truth, TTL: '0' }),
        /0 s to live, where 600/,
      ],
      ['one that ended long ago', 'LeaseGrant', (_, truth) => ({ ...truth, TTL: LEAST }), /s to live, where 600/],
      ['no header', 'Txn', () => ({ succeeded: true }), /without a header/],
      ['revision 0', 'Txn', () => ({ header: { revision: '0' }, succeeded: true }), /revision 0/],
      ['nothing in the place of what stands there', 'Txn', (...of) => refused({})(...of), /without what stands there/],
      ['another answer', 'Txn', (...of) => refused({ response_put: {} })(...of), /without what stands there/],
      [
        'another key',
        'Txn',
        (...of) => refused({ response_range: list(lease(2)) })(...of),
        /10\.2\.0\.0-24.*nobody asked/,
      ],
    ])('with %s is an error of a creation, and nothing is held', async (_, method, lie, says) => {
      open()
      etcd.lies.set(method, lie)
      await expect(create()).rejects.toMatchObject({ op: 'create', code: 'PROTOCOL', message: matching(says) })
      etcd.lies.clear()
      await expect(create()).resolves.toMatchObject({ ok: true, record: { etcdLeaseId: '4711' } })
    })

    test.each<[string, Lie, object]>([
      ['0 s', (_, truth) => ({ ...truth, TTL: '0' }), { alive: false }],
      ['less than nothing', (_, truth) => ({ ...truth, TTL: LEAST }), { alive: false }],
    ])('by a renewal to %s says that the etcd lease has ended', async (_, lie, result) => {
      etcd.lies.set('LeaseKeepAlive', lie)
      expect(await open().keepAlive('4711', signal)).toEqual(result)
    })

    test.each<[string, Lie, RegExp]>([
      ['another etcd lease', (_, truth) => ({ ...truth, ID: '4712' }), /etcd lease 4712, where 4711 was/],
      ['all eternity', (_, truth) => ({ ...truth, TTL: MOST }), /9223372036854775807 s to live/],
    ])('by renewing %s is an error', async (_, lie, says) => {
      etcd.lies.set('LeaseKeepAlive', lie)
      const failure = { op: 'keepAlive', code: 'PROTOCOL', message: matching(says) }
      await expect(open().keepAlive('4711', signal)).rejects.toMatchObject(failure)
    })
  })

  describe('about what changes', () => {
    async function watch(): Promise<WatchLog> {
      const log = new WatchLog(open(), await store.list(signal))
      onTestFinished(() => {
        log.abort()
      })
      return log
    }
    const event = (...events: readonly Message[]): Message => ({ events })

    test.each<[string, Message, RegExp]>([
      ['without a header', { ...event(put(1, '11')), header: undefined }, /without a header/],
      ['of a revision that cannot be', { header: { revision: '0' } }, /revision 0/],
      ['of a key from beside', event({ type: 'Put', kv: kv('subnets0') }), /subnets0.*nobody asked for/],
      ['of a key from beside that is gone', event({ type: 'Delete', kv: kv('config') }), /config.*nobody asked for/],
      ['of no key', event({ type: 'Put' }), /a change of no key/],
      ['of a type that there is not', event({ type: 7, kv: lease(1) }), /type 7/],
      ['at revision 0', event(put(1, '0')), /revisions 0 and 0/],
      ['at a revision below 0', event(put(1, LEAST)), /revisions -9/],
      [
        'of a deletion at revision 0',
        event({ type: 'Delete', kv: lease(1, { mod_revision: '0' }) }),
        /DELETE at revision 0/,
      ],
      ['of another watch', { ...event(put(1, '11')), watch_id: '9' }, /watch 9/],
      ['that it will be told no more, without a reason', { canceled: true }, /without a reason/],
      [
        'that it will be told no more, for a long reason',
        { canceled: true, cancel_reason: 'x'.repeat(9_000) },
        /x{500}$/,
      ],
    ])('with an answer %s ends the stream, which says so and is followed by another', async (_, answer, says) => {
      let isFirst = true
      etcd.onOpen = (tell) => {
        if (isFirst) tell(answer)
        isFirst = false
      }
      const log = await watch()
      await expect.poll(() => log.losses.map(({ message }) => message), DEADLINE).toEqual([matching(says)])
      await expect.poll(() => log.connection.at(-1), DEADLINE).toBe('up')
      etcd.tell(event(put(1, '12')))
      await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=v'])
    })

    test.each<[string, readonly Message[]]>([
      ['tells of progress back to where it was', [{ header: { revision: '9' } }]],
      ['tells of changes before the list', [event(put(1, '9'))]],
      ['tells of a revision twice', [event(put(1, '11')), event(put(2, '11'))]],
      ['tells of the end of all numbers, and then of changes', [{ header: { revision: MOST } }, event(put(1, '11'))]],
      ['tells of a change at the end of all numbers, and then of others', [event(put(1, MOST)), event(put(1, '11'))]],
      ['tells of changes out of order', [event(put(1, '12'), put(2, '11'))]],
    ])('that %s leads to a new list', async (_, answers) => {
      etcd.onOpen = (tell) => {
        for (const answer of answers) tell({ header: { ...etcd.header, revision: '99' }, ...answer })
      }
      const log = await watch()
      await expect.poll(() => log.ended, DEADLINE).toBe(true)
      expect(log.events.at(-1)).toMatchObject({ kind: 'reset', reason: matching(/^the stream went back/) })
    })

    test('in a message of more than 16 MiB is not taken in, and leads to a new list when it comes again', async () => {
      const value = Buffer.alloc(17 << 20, 'x')
      etcd.onOpen = (tell) => {
        tell(event({ type: 'Put', kv: lease(1, { value, create_revision: '11', mod_revision: '11' }) }))
      }
      const log = await watch()
      await expect.poll(() => log.ended, DEADLINE).toBe(true)
      expect(log.losses).toMatchObject([{ code: 'RESOURCE_EXHAUSTED' }])
      expect(log.events).toMatchObject([{ kind: 'reset', reason: matching(/after revision 10 is larger/) }])
    })

    test('takes progress of the stream as a whole for no progress of the watch', async () => {
      const log = await watch()
      await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
      etcd.tell({ watch_id: '-1', header: { ...etcd.header, revision: '50' } })
      etcd.tell(event(put(1, '12')))
      await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=v'])
    })

    test('is not asked without a pause by whoever follows it, though each of its streams ends at once', async () => {
      etcd.onOpen = () => {
        etcd.endStreams()
      }
      const log = await watch()
      await expect.poll(() => log.losses.length, DEADLINE).toBe(1)
      const fromMs = performance.now()
      await expect.poll(() => log.connection.filter((each) => each === 'up').length, DEADLINE).toBeGreaterThan(5)
      expect(performance.now() - fromMs).toBeGreaterThan(800)
      etcd.onOpen = () => undefined
      await expect.poll(() => log.connection.at(-1), DEADLINE).toBe('up')
      etcd.tell(event(put(1, '12')))
      await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=v'])
    })
  })
})
