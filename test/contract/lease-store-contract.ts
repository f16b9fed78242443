import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import type { Challenges } from '../../src/lease/challenges.ts'
import { NO_ETCD_LEASE, type EtcdLeaseId } from '../../src/lease/lease.ts'
import type {
  CasResult,
  LeaseRecord,
  LeaseStore,
  LeaseWatchEvent,
  StoreError,
  StoreIdentity,
} from '../../src/lease/store.ts'

/** A store with everything a test does behind its back. One harness serves many tests; `reset` makes it as new. */
export interface LeaseStoreHarness {
  /** One node's connection. The harness closes it at the end of the test. */
  open(): LeaseStore & Challenges
  /** Writes a key as somebody else would, on no etcd lease. */
  put(key: string, value: string): Promise<void>
  delete(key: string): Promise<void>
  putConfig(value: string): Promise<void>
  deleteConfig(): Promise<void>
  /** Writes below `PREFIX/challenges/` as somebody else would, on no etcd lease. */
  putChallenge(name: string, value: string): Promise<void>
  /** Names below `PREFIX/challenges/`. */
  challengeNames(): Promise<readonly string[]>
  revoke(id: EtcdLeaseId): Promise<void>
  etcdLeaseIds(): Promise<readonly EtcdLeaseId[]>
  /** Forgets all history before now. */
  compact(): Promise<void>
  /** Cuts all opened stores off, until {@link LeaseStoreHarness.reconnect}. */
  disconnect(): Promise<void>
  reconnect(): Promise<void>
  /** Empties the store and starts it again as another one. */
  wipe(): Promise<void>
  /** Keeps a copy of everything, for {@link LeaseStoreHarness.restore}. */
  backup(): Promise<void>
  restore(): Promise<void>
  reset(): Promise<void>
  close(): Promise<void>
}

/** What a watch has delivered so far, and how it stands. */
export class WatchLog {
  readonly events: LeaseWatchEvent[] = []
  /** Every change of the connection. */
  readonly connection: ('up' | 'down')[] = []
  /** What it went down of, each time. */
  readonly losses: StoreError[] = []
  /** What attempts to get it up again failed with. */
  readonly stillAway: StoreError[] = []
  ended = false
  private readonly stop = new AbortController()

  constructor(store: LeaseStore, from: StoreIdentity) {
    void this.read(store, from)
  }

  /** All changes in short: `+key=value`, `-key`; what came in one revision is joined with commas. */
  get changes(): readonly string[] {
    return this.events.flatMap((event) =>
      event.kind !== 'deltas'
        ? []
        : event.deltas
            .map((delta) => (delta.kind === 'put' ? `+${delta.record.key}=${delta.record.value}` : `-${delta.key}`))
            .sort()
            .join(','),
    )
  }

  abort(): void {
    this.stop.abort()
  }

  private async read(store: LeaseStore, from: StoreIdentity): Promise<void> {
    const status = {
      onConnected: () => this.connection.push('up'),
      onDisconnected: (error: StoreError) => {
        this.connection.push('down')
        this.losses.push(error)
      },
      onStillAway: (error: StoreError) => this.stillAway.push(error),
    }
    for await (const event of store.watch(from, this.stop.signal, status)) this.events.push(event)
    this.ended = true
  }
}

const signal = new AbortController().signal
const DEADLINE = { timeout: 30_000, interval: 10 }

function created(result: CasResult): LeaseRecord {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.found?.value)} stands there`)
  return result.record
}

/** What every {@link LeaseStore} does, over whatever it stands on. */
export function leaseStoreContract(name: string, makeHarness: () => Promise<LeaseStoreHarness>): void {
  describe(`${name} as a lease store`, () => {
    let harness: LeaseStoreHarness
    let store: LeaseStore
    beforeAll(async () => {
      harness = await makeHarness()
    })
    beforeEach(() => {
      store = harness.open()
    })
    afterEach(() => harness.reset())
    afterAll(() => harness.close())

    const granted = (key: string, value: string): Promise<LeaseRecord> =>
      store.create(key, value, { kind: 'grant', ttlSeconds: 600 }, signal).then(created)

    async function watchFromNow(): Promise<WatchLog> {
      const log = new WatchLog(store, await store.list(signal))
      await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
      return log
    }

    describe('configuration', () => {
      test('is undefined until somebody writes it and again when it is deleted', async () => {
        expect(await store.readConfig(signal)).toBeUndefined()
        await harness.putConfig('{"Network":"10.0.0.0/8"}')
        const config = await store.readConfig(signal)
        expect(config?.value).toBe('{"Network":"10.0.0.0/8"}')
        await harness.putConfig('{}')
        expect((await store.readConfig(signal))?.modRevision).toBeGreaterThan(config?.modRevision ?? 0n)
        await harness.deleteConfig()
        expect(await store.readConfig(signal)).toBeUndefined()
      })

      /** What a watch of the configuration has said so far; repetitions do not count. */
      function watchConfig(stop: AbortSignal = signal): { readonly said: (string | undefined)[]; ended: boolean } {
        const log = { said: new Array<string | undefined>(), ended: false }
        const read = async (): Promise<void> => {
          for await (const config of store.watchConfig(stop))
            if (log.said.length === 0 || log.said.at(-1) !== config?.value) log.said.push(config?.value)
          log.ended = true
        }
        void read()
        return log
      }

      test('is told to a watch as it is, and after every change', async () => {
        await harness.putConfig('one')
        const { said } = watchConfig()
        await expect.poll(() => said, DEADLINE).toEqual(['one'])
        await harness.put('10.1.0.0-24', 'no configuration')
        await harness.putConfig('two')
        await expect.poll(() => said, DEADLINE).toEqual(['one', 'two'])
        await harness.deleteConfig()
        await expect.poll(() => said, DEADLINE).toEqual(['one', 'two', undefined])
        await harness.putConfig('three')
        await expect.poll(() => said, DEADLINE).toEqual(['one', 'two', undefined, 'three'])
      })

      test('is told to a watch also while it does not exist, and whole however long it is', async () => {
        const { said } = watchConfig()
        await expect.poll(() => said, DEADLINE).toEqual([undefined])
        const long = 'x'.repeat(100_000)
        await harness.putConfig(long)
        await expect.poll(() => said.at(-1) === long, DEADLINE).toBe(true)
      })

      test('that was changed during a loss of connection, and compacted since, is told after it', async () => {
        await harness.putConfig('one')
        const { said } = watchConfig()
        await expect.poll(() => said, DEADLINE).toEqual(['one'])
        await harness.disconnect()
        await harness.putConfig('two')
        await harness.putConfig('three')
        await harness.compact()
        await harness.reconnect()
        await expect.poll(() => said.at(-1), DEADLINE).toBe('three')
        await harness.putConfig('four')
        await expect.poll(() => said.at(-1), DEADLINE).toBe('four')
      })

      test('is told anew by a store that was emptied', async () => {
        await harness.putConfig('one')
        const { said } = watchConfig()
        await expect.poll(() => said, DEADLINE).toEqual(['one'])
        await harness.wipe()
        await expect.poll(() => said.at(-1), DEADLINE).toBeUndefined()
        await harness.putConfig('two')
        await expect.poll(() => said.at(-1), DEADLINE).toBe('two')
      })

      test('is watched until that is aborted, connected or not', async () => {
        const [connected, cutOff] = [new AbortController(), new AbortController()]
        const one = watchConfig(connected.signal)
        const other = watchConfig(cutOff.signal)
        await expect.poll(() => [one.said, other.said], DEADLINE).toEqual([[undefined], [undefined]])
        connected.abort()
        await expect.poll(() => one.ended, DEADLINE).toBe(true)
        await harness.disconnect()
        cutOff.abort()
        await expect.poll(() => other.ended, DEADLINE).toBe(true)
      })
    })

    describe('list', () => {
      test('holds every lease in key order and nothing else', async () => {
        await harness.putConfig('{}')
        await harness.put('10.3.0.0-24', 'three')
        const mine = await granted('10.1.0.0-24', 'one')
        await harness.put('10.2.0.0-24&fc00:0:0:2::-64', 'not json')
        const { records, revision } = await store.list(signal)
        expect(records.map(({ key, value }) => [key, value])).toEqual([
          ['10.1.0.0-24', 'one'],
          ['10.2.0.0-24&fc00:0:0:2::-64', 'not json'],
          ['10.3.0.0-24', 'three'],
        ])
        expect(records[0]).toEqual(mine)
        expect(records[1]?.etcdLeaseId).toBe(NO_ETCD_LEASE)
        expect(revision).toBe(records[1]?.modRevision)
      })

      test('names the same store each time', async () => {
        const { clusterId } = await store.list(signal)
        expect(clusterId).not.toBe('')
        expect((await harness.open().list(signal)).clusterId).toBe(clusterId)
      })
    })

    describe('create', () => {
      test('puts a new key on an etcd lease of its own', async () => {
        const record = await granted('10.1.0.0-24', 'one')
        expect(record.createRevision).toBe(record.modRevision)
        expect(await harness.etcdLeaseIds()).toEqual([record.etcdLeaseId])
        expect((await store.list(signal)).records).toEqual([record])
      })

      test('refuses a taken key, shows who has it and leaves no etcd lease behind', async () => {
        await harness.put('10.1.0.0-24', 'theirs')
        const result = await store.create('10.1.0.0-24', 'ours', { kind: 'grant', ttlSeconds: 600 }, signal)
        expect(result).toMatchObject({ ok: false, found: { key: '10.1.0.0-24', value: 'theirs' } })
        expect(await harness.etcdLeaseIds()).toEqual([])
      })

      test('refuses a key that already holds the same value', async () => {
        await harness.put('10.1.0.0-24', 'same')
        const result = await store.create('10.1.0.0-24', 'same', { kind: 'reservation' }, signal)
        expect(result.ok).toBe(false)
      })

      test('makes a reservation that hangs on no etcd lease', async () => {
        const record = created(await store.create('10.1.0.0-24', 'one', { kind: 'reservation' }, signal))
        expect(record.etcdLeaseId).toBe(NO_ETCD_LEASE)
        expect(await harness.etcdLeaseIds()).toEqual([])
      })

      test('attaches a key to an etcd lease that exists', async () => {
        const { etcdLeaseId } = await granted('10.1.0.0-24', 'one')
        const second = created(await store.create('10.2.0.0-24', 'two', { kind: 'attach', etcdLeaseId }, signal))
        expect(second.etcdLeaseId).toBe(etcdLeaseId)
        expect((await store.list(signal)).records[1]).toEqual(second)
      })

      describe('unless others were faster', () => {
        const NAMES = [{ from: '10.1.', to: '10.1/' }]

        test.each([
          ['in a range of names', '10.1.16.0-24', NAMES],
          ['in the second of two ranges', '10.1.16.0-24', [{ from: '10.9.', to: '10.9/' }, ...NAMES]],
          ['anywhere', '10.7.0.0-24&fd00:1::-64', 'everywhere' as const],
        ])('is refused when one was: %s', async (_, newcomer, within) => {
          await harness.put('10.1.8.0-24', 'older')
          const { revision: after } = await store.list(signal)
          const create = () =>
            store.create('10.1.0.0-24', 'ours', { kind: 'grant', ttlSeconds: 600 }, signal, { after, within })
          await harness.put(newcomer, 'theirs')
          expect(await create()).toEqual({ ok: false, found: undefined })
          expect(await harness.etcdLeaseIds()).toEqual([])
          await harness.delete(newcomer)
          expect(await create()).toMatchObject({ ok: true, record: { key: '10.1.0.0-24', value: 'ours' } })
        })

        test('goes through beside what is older, was only changed, or stands elsewhere', async () => {
          await harness.put('10.1.8.0-24', 'older')
          const { revision: after } = await store.list(signal)
          await harness.put('10.1.8.0-24', 'changed')
          for (const name of ['10.1-', '10.1/', '10.11.0.0-24', '10.2.0.0-24']) await harness.put(name, 'elsewhere')
          const unless = { after, within: NAMES }
          const result = await store.create('10.1.0.0-24', 'ours', { kind: 'reservation' }, signal, unless)
          expect(result.ok).toBe(true)
        })

        test('goes through in an empty store', async () => {
          const { revision: after } = await store.list(signal)
          const unless = { after, within: 'everywhere' as const }
          const result = await store.create('10.1.0.0-24', 'ours', { kind: 'reservation' }, signal, unless)
          expect(result.ok).toBe(true)
        })
      })

      test('fails for good on an etcd lease that does not exist', async () => {
        const attempt = store.create('10.1.0.0-24', 'one', { kind: 'attach', etcdLeaseId: '4711' }, signal)
        await expect(attempt).rejects.toMatchObject({ op: 'create', code: 'NOT_FOUND', retryable: false })
        expect((await store.list(signal)).records).toEqual([])
      })
    })

    describe('replace', () => {
      test('changes the value and keeps the etcd lease', async () => {
        const first = await granted('10.1.0.0-24', 'one')
        const second = created(await store.replace(first, 'changed', signal))
        expect(second).toEqual({ ...first, value: 'changed', modRevision: second.modRevision })
        expect(second.modRevision).toBeGreaterThan(first.modRevision)
        expect((await store.list(signal)).records).toEqual([second])
      })

      test('keeps a reservation a reservation', async () => {
        await harness.put('10.1.0.0-24', 'one')
        const [seen] = (await store.list(signal)).records
        if (seen === undefined) throw new Error('nothing listed')
        await store.replace(seen, 'changed', signal)
        expect((await store.list(signal)).records[0]).toMatchObject({ value: 'changed', etcdLeaseId: NO_ETCD_LEASE })
      })

      test('moves the key to another life time when asked', async () => {
        const first = created(await store.create('10.1.0.0-24', 'one', { kind: 'reservation' }, signal))
        const second = created(await store.replace(first, 'one', signal, { kind: 'grant', ttlSeconds: 600 }))
        expect(second.etcdLeaseId).not.toBe(NO_ETCD_LEASE)
        expect((await store.list(signal)).records).toEqual([second])
      })

      test('refuses a key that changed since, and shows what it is now', async () => {
        const first = await granted('10.1.0.0-24', 'one')
        await harness.put('10.1.0.0-24', 'theirs')
        expect(await store.replace(first, 'ours', signal)).toMatchObject({ ok: false, found: { value: 'theirs' } })
      })

      test('refuses a key that is gone, and does not bring it back', async () => {
        const first = await granted('10.1.0.0-24', 'one')
        await harness.delete('10.1.0.0-24')
        expect(await store.replace(first, 'ours', signal)).toEqual({ ok: false, found: undefined })
        expect((await store.list(signal)).records).toEqual([])
      })

      test('takes back the etcd lease it granted for nothing', async () => {
        const first = created(await store.create('10.1.0.0-24', 'one', { kind: 'reservation' }, signal))
        await harness.put('10.1.0.0-24', 'theirs')
        await store.replace(first, 'ours', signal, { kind: 'grant', ttlSeconds: 600 })
        expect(await harness.etcdLeaseIds()).toEqual([])
      })
    })

    describe('remove', () => {
      test('deletes a key that is as it was seen', async () => {
        const seen = await granted('10.1.0.0-24', 'one')
        expect(await store.remove(seen, signal)).toBe(true)
        expect((await store.list(signal)).records).toEqual([])
      })

      test('keeps a key that changed since', async () => {
        const seen = await granted('10.1.0.0-24', 'one')
        await harness.put('10.1.0.0-24', 'theirs')
        expect(await store.remove(seen, signal)).toBe(false)
        expect((await store.list(signal)).records[0]?.value).toBe('theirs')
      })

      test('is content when the key is already gone', async () => {
        const seen = await granted('10.1.0.0-24', 'one')
        await harness.delete('10.1.0.0-24')
        expect(await store.remove(seen, signal)).toBe(true)
      })
    })

    describe('release', () => {
      test('deletes a key that is as it was seen, and leaves no etcd lease behind', async () => {
        const seen = await granted('10.1.0.0-24', 'one')
        expect(await store.release(seen, signal)).toBe(true)
        expect((await store.list(signal)).records).toEqual([])
        expect(await harness.etcdLeaseIds()).toEqual([])
      })

      test('leaves an etcd lease on which somebody else hangs, and whoever hangs there', async () => {
        const seen = await granted('10.1.0.0-24', 'one')
        const lifetime = { kind: 'attach', etcdLeaseId: seen.etcdLeaseId } as const
        const other = created(await store.create('10.2.0.0-24', 'two', lifetime, signal))
        expect(await store.release(seen, signal)).toBe(true)
        expect((await store.list(signal)).records).toEqual([other])
        expect(await harness.etcdLeaseIds()).toEqual([seen.etcdLeaseId])
      })

      test('keeps a key that changed since, with its etcd lease', async () => {
        const seen = await granted('10.1.0.0-24', 'one')
        const changed = created(await store.replace(seen, 'two', signal))
        expect(await store.release(seen, signal)).toBe(false)
        expect((await store.list(signal)).records).toEqual([changed])
        expect(await harness.etcdLeaseIds()).toEqual([seen.etcdLeaseId])
      })

      test('keeps a key that has the revision that was seen and says something else, as after a restore', async () => {
        const seen = await granted('10.1.0.0-24', 'one')
        expect(await store.release({ ...seen, value: 'what stood there in that other history' }, signal)).toBe(false)
        expect((await store.list(signal)).records).toEqual([seen])
      })

      test('is content when the key is already gone, and ends what is left of it', async () => {
        const seen = await granted('10.1.0.0-24', 'one')
        await harness.delete('10.1.0.0-24')
        expect(await store.release(seen, signal)).toBe(true)
        expect(await harness.etcdLeaseIds()).toEqual([])
        expect(await store.release(seen, signal)).toBe(true)
      })

      test('deletes a reservation', async () => {
        const seen = created(await store.create('10.1.0.0-24', 'one', { kind: 'reservation' }, signal))
        expect(await store.release(seen, signal)).toBe(true)
        expect((await store.list(signal)).records).toEqual([])
      })

      test('is told to a watch as the end of that lease alone', async () => {
        const seen = await granted('10.1.0.0-24', 'one')
        const log = await watchFromNow()
        await store.release(seen, signal)
        await harness.put('10.2.0.0-24', 'two')
        await expect.poll(() => log.changes, DEADLINE).toEqual(['-10.1.0.0-24', '+10.2.0.0-24=two'])
      })
    })

    describe('keep-alive', () => {
      test('renews without touching the key', async () => {
        const { etcdLeaseId } = await granted('10.1.0.0-24', 'one')
        const before = await store.list(signal)
        expect(await store.keepAlive(etcdLeaseId, signal)).toEqual({ alive: true, ttlSeconds: 600 })
        expect(await store.list(signal)).toEqual(before)
      })

      test('renews as often as it is asked to, also at once after the last time', async () => {
        const { etcdLeaseId } = await granted('10.1.0.0-24', 'one')
        for (let time = 0; time < 3; time++) {
          const result = await store.keepAlive(etcdLeaseId, signal)
          expect(result.alive && result.ttlSeconds).toBeGreaterThan(590)
        }
      })

      test('tells that the etcd lease is gone', async () => {
        const { etcdLeaseId } = await granted('10.1.0.0-24', 'one')
        await harness.revoke(etcdLeaseId)
        expect(await store.keepAlive(etcdLeaseId, signal)).toEqual({ alive: false })
        expect((await store.list(signal)).records).toEqual([])
      })
    })

    describe('watch', () => {
      test('delivers puts and deletions in order, with the records a list would show', async () => {
        const log = await watchFromNow()
        const record = await granted('10.1.0.0-24', 'one')
        await harness.put('10.2.0.0-24', 'two')
        await harness.delete('10.2.0.0-24')
        await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one', '+10.2.0.0-24=two', '-10.2.0.0-24'])
        expect(log.events[0]).toEqual({
          kind: 'deltas',
          revision: record.modRevision,
          deltas: [{ kind: 'put', record, revision: record.modRevision }],
        })
      })

      test('begins right after the list, however late it is opened', async () => {
        await harness.put('10.1.0.0-24', 'before')
        const list = await store.list(signal)
        await harness.put('10.2.0.0-24', 'between')
        const log = new WatchLog(store, list)
        await harness.put('10.3.0.0-24', 'after')
        await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.2.0.0-24=between', '+10.3.0.0-24=after'])
      })

      test('keeps changes of one revision together', async () => {
        const { etcdLeaseId } = await granted('10.1.0.0-24', 'one')
        await store.create('10.2.0.0-24', 'two', { kind: 'attach', etcdLeaseId }, signal)
        const log = await watchFromNow()
        await harness.revoke(etcdLeaseId)
        await expect.poll(() => log.changes, DEADLINE).toEqual(['-10.1.0.0-24,-10.2.0.0-24'])
      })

      test('says nothing about the configuration', async () => {
        const log = await watchFromNow()
        await harness.putConfig('{}')
        await harness.put('10.1.0.0-24', 'one')
        await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one'])
        expect(log.events).toHaveLength(1)
      })

      test('catches up after a loss of connection, each change once', async () => {
        const log = await watchFromNow()
        await harness.put('10.1.0.0-24', 'one')
        await expect.poll(() => log.changes, DEADLINE).toHaveLength(1)
        await harness.disconnect()
        await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
        await harness.put('10.2.0.0-24', 'two')
        await harness.delete('10.1.0.0-24')
        await harness.reconnect()
        await harness.put('10.3.0.0-24', 'three')
        await expect
          .poll(() => log.changes, DEADLINE)
          .toEqual(['+10.1.0.0-24=one', '+10.2.0.0-24=two', '-10.1.0.0-24', '+10.3.0.0-24=three'])
        expect(log.connection).toEqual(['up', 'down', 'up'])
      })

      test('goes on over new connections when told that the old ones are dead, each change once', async () => {
        const log = await watchFromNow()
        await harness.put('10.1.0.0-24', 'one')
        await expect.poll(() => log.changes, DEADLINE).toHaveLength(1)
        store.refreshConnections()
        await harness.put('10.2.0.0-24', 'two')
        await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one', '+10.2.0.0-24=two'])
        await expect.poll(() => log.connection, DEADLINE).toEqual(['up', 'down', 'up'])
        await expect(store.list(signal)).resolves.toMatchObject({ records: { length: 2 } })
      })

      test('tells when there is no connection to begin with', async () => {
        const list = await store.list(signal)
        await harness.disconnect()
        const log = new WatchLog(store, list)
        await expect.poll(() => log.losses, DEADLINE).toMatchObject([{ op: 'watch', retryable: true }])
        await harness.reconnect()
        await harness.put('10.1.0.0-24', 'one')
        await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one'])
      })

      test('ends with `compacted` when the history it needs is gone', async () => {
        const log = await watchFromNow()
        await harness.disconnect()
        await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
        await harness.put('10.1.0.0-24', 'one')
        await harness.put('10.2.0.0-24', 'two')
        await harness.compact()
        await harness.reconnect()
        await expect.poll(() => log.ended, DEADLINE).toBe(true)
        expect(log.events).toMatchObject([{ kind: 'compacted' }])
      })

      test('begins with no list that a deletion and a compaction at its very revision have overtaken', async () => {
        await harness.put('10.1.0.0-24', 'one')
        const list = await store.list(signal)
        await harness.delete('10.1.0.0-24')
        await harness.compact()
        const log = new WatchLog(store, list)
        await expect.poll(() => log.events, DEADLINE).toMatchObject([{ kind: 'compacted' }])
      })

      test('never passes over a deletion at the very revision of a compaction', async () => {
        await harness.put('10.1.0.0-24', 'one')
        const log = await watchFromNow()
        await harness.disconnect()
        await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
        await harness.delete('10.1.0.0-24')
        await harness.compact()
        await harness.reconnect()
        await expect.poll(() => log.events, DEADLINE).toMatchObject([{ kind: 'compacted' }])
      })

      test('goes on over a compaction of history it has seen', async () => {
        const log = await watchFromNow()
        await harness.put('10.1.0.0-24', 'one')
        await expect.poll(() => log.changes, DEADLINE).toHaveLength(1)
        await harness.compact()
        await harness.disconnect()
        await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
        await harness.put('10.2.0.0-24', 'two')
        await harness.reconnect()
        await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one', '+10.2.0.0-24=two'])
      })

      test('ends with `reset` when the store was emptied', async () => {
        await harness.put('10.1.0.0-24', 'one')
        const log = await watchFromNow()
        await harness.wipe()
        await expect.poll(() => log.ended, DEADLINE).toBe(true)
        expect(log.events).toMatchObject([{ kind: 'reset' }])
      })

      test('ends with `reset` when the store went back to an earlier state', async () => {
        await harness.put('10.1.0.0-24', 'one')
        await harness.backup()
        await harness.put('10.2.0.0-24', 'two')
        await harness.put('10.3.0.0-24', 'three')
        const log = await watchFromNow()
        await harness.restore()
        await expect.poll(() => log.ended, DEADLINE).toBe(true)
        expect(log.events).toMatchObject([{ kind: 'reset' }])
      })

      describe('when the store went back to an earlier state and has passed our revision before we are back', () => {
        const leases = { changed: '10.2.0.0-24', deleted: '10.1.0.0-24' } as const

        /** Restores what `lose` came after, lets others write until past it, and only then lets us see. */
        async function restoredBehindOurBack(lose: () => Promise<void>): Promise<WatchLog> {
          await harness.put('10.1.0.0-24', 'one')
          await harness.backup()
          await lose()
          const log = await watchFromNow()
          await harness.disconnect()
          await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
          await harness.restore()
          for (const at of Array(8).keys()) await harness.put(`10.9.${at}.0-24`, 'later')
          await harness.reconnect()
          return log
        }

        test.each([
          ['a lease was added', () => harness.put(leases.changed, 'two')],
          ['a lease was changed', () => harness.put(leases.deleted, 'changed')],
          ['a lease was deleted', () => harness.delete(leases.deleted)],
          [
            'a lease was added and deleted',
            async () => {
              await harness.put(leases.changed, 'two')
              await harness.delete(leases.changed)
            },
          ],
        ])('ends with `reset` when %s meanwhile', async (_, lose) => {
          const log = await restoredBehindOurBack(lose)
          await expect.poll(() => log.ended, DEADLINE).toBe(true)
          expect(log.events.at(-1)).toMatchObject({ kind: 'reset' }) // maybe after changes of that other history
        })
      })

      test('ends with `reset` at once when it is to resume from another store', async () => {
        const { revision } = await store.list(signal)
        const log = new WatchLog(store, { clusterId: '1', revision })
        await expect.poll(() => log.events, DEADLINE).toMatchObject([{ kind: 'reset' }])
        expect(log.connection).toEqual([])
      })

      test('ends without an event when aborted', async () => {
        const log = await watchFromNow()
        log.abort()
        await expect.poll(() => log.ended, DEADLINE).toBe(true)
        expect(log.events).toEqual([])
        expect(log.connection).toEqual(['up'])
      })

      test('ends when aborted while cut off', async () => {
        const log = await watchFromNow()
        await harness.disconnect()
        await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
        log.abort()
        await expect.poll(() => log.ended, DEADLINE).toBe(true)
      })

      test('ends when aborted at the moment the connection comes back', async () => {
        for (let time = 0; time < 5; time++) {
          const log = await watchFromNow()
          await harness.disconnect()
          await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
          await harness.reconnect()
          log.abort()
          await expect.poll(() => log.ended, DEADLINE).toBe(true)
        }
      })

      test('ends when its reader leaves', async () => {
        const list = await store.list(signal)
        await harness.put('10.1.0.0-24', 'one')
        await harness.put('10.2.0.0-24', 'two')
        const seen: LeaseWatchEvent[] = []
        for await (const event of store.watch(list, signal)) {
          seen.push(event)
          break
        }
        expect(seen).toMatchObject([{ deltas: [{ record: { key: '10.1.0.0-24' } }] }])
      })
    })

    describe('the past', () => {
      const KEY = '10.1.0.0-24'

      test('is told of one key, as it stood then', async () => {
        const first = await granted(KEY, 'one')
        await harness.put('10.2.0.0-24', 'other')
        const second = created(await store.replace(first, 'two', signal))
        expect(await store.saidAt(KEY, first.modRevision - 1n, signal)).toBeUndefined()
        expect(await store.saidAt(KEY, first.modRevision, signal)).toEqual(first)
        expect(await store.saidAt(KEY, second.modRevision - 1n, signal)).toEqual(first)
        expect(await store.saidAt(KEY, second.modRevision, signal)).toEqual(second)
        await harness.delete(KEY)
        const { revision } = await store.list(signal)
        expect(await store.saidAt(KEY, revision, signal)).toBeUndefined()
        expect(await store.saidAt(KEY, first.modRevision, signal)).toEqual(first)
      })

      test('is gone when it was compacted', async () => {
        const first = await granted(KEY, 'one')
        const second = created(await store.replace(first, 'two', signal))
        await harness.compact()
        expect(await store.saidAt(KEY, first.modRevision, signal)).toBe('compacted')
        expect(await store.saidAt(KEY, second.modRevision, signal)).toEqual(second)
      })
    })

    describe('failures', () => {
      const calls: readonly (readonly [string, (abort: AbortSignal) => Promise<unknown>])[] = [
        ['readConfig', (abort) => store.readConfig(abort)],
        ['list', (abort) => store.list(abort)],
        ['create', (abort) => store.create('10.9.0.0-24', 'nine', { kind: 'reservation' }, abort)],
        ['replace', (abort) => store.replace(absent, 'nine', abort)],
        ['remove', (abort) => store.remove(absent, abort)],
        ['release', (abort) => store.release(absent, abort)],
        ['saidAt', (abort) => store.saidAt('10.9.0.0-24', 1n, abort)],
        ['keepAlive', (abort) => store.keepAlive('4711', abort)],
      ]
      const absent = {
        key: '10.9.0.0-24',
        value: 'nine',
        etcdLeaseId: NO_ETCD_LEASE,
        createRevision: 1n,
        modRevision: 1n,
      }

      test.each(calls)('%s fails as worth trying again when the store is out of reach', async (op, call) => {
        await harness.disconnect()
        await expect(call(signal)).rejects.toMatchObject({ name: 'StoreError', op, retryable: true })
        await harness.reconnect()
        const again = (): Promise<unknown> => call(signal).then(() => 'works', String)
        await expect.poll(again, DEADLINE).toBe('works')
      })

      test.each(calls)('%s does nothing for a caller who gave up before', async (op, call) => {
        await expect(call(AbortSignal.abort())).rejects.toMatchObject({ op, code: 'ABORTED_BY_CALLER' })
        expect((await store.list(signal)).records).toEqual([])
      })

      test.each(calls)('%s fails once the store is closed', async (op, call) => {
        store.close()
        await expect(call(signal)).rejects.toMatchObject({ op, code: 'CLOSED', retryable: false })
      })
    })
  })
}
