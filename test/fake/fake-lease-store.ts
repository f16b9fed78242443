import { isTransient } from '../../src/etcd/client/codes.ts'
import { systemClock } from '../../src/host/system-clock.ts'
import type { Challenge, Challenger, Challenges } from '../../src/lease/challenges.ts'
import { NO_ETCD_LEASE, type EtcdLeaseId, type Revision } from '../../src/lease/lease.ts'
import {
  StoreError,
  type StoreErrorCode,
  type CasResult,
  type ConfigRecord,
  type KeepAliveResult,
  type KeyLifetime,
  type LeaseList,
  type LeaseRecord,
  type LeaseStore,
  type LeaseWatchEvent,
  type Newcomers,
  type StoreIdentity,
  type WatchStatus,
} from '../../src/lease/store.ts'
import type { Clock } from '../../src/time/clock.ts'
import { aborted, FakeChallenges } from './fake-challenges.ts'
import { FakeConfigWatch } from './fake-config-watch.ts'
import { FakeEtcd } from './fake-etcd.ts'
import { FakeWatch } from './fake-watch.ts'

export type StoreOp =
  | 'readConfig'
  | 'list'
  | 'create'
  | 'replace'
  | 'remove'
  | 'release'
  | 'saidAt'
  | 'keepAlive'
  | 'ask'
  | 'answer'
  | 'takeBack'

/** How a call is to go wrong. */
export interface Fault {
  readonly code: StoreErrorCode
  /** The call takes effect and only its answer is lost. */
  readonly applied?: boolean
}

export interface StoreCall {
  readonly op: StoreOp
  /** Lease key (also of challenges), or etcd lease id for `keepAlive`; empty for `list` and `readConfig`. */
  readonly target: string
}

const WRITES: ReadonlySet<StoreOp> = new Set<StoreOp>(['create', 'replace', 'remove', 'release'])

function failure(op: string, code: StoreErrorCode): StoreError {
  return new StoreError({ op, code, retryable: isTransient(code), message: `${op}: injected ${code}` })
}

/**
 * In-memory {@link LeaseStore}: one node's connection to a {@link FakeEtcd}, passing the same contract suite as the real one,
 * with faults set by hand. Everything "from outside" (foreign puts and deletes, revoked leases, compaction, wiping, restoring,
 * the clock) is done on `etcd`.
 */
export class FakeLeaseStore implements LeaseStore, Challenges {
  readonly etcd: FakeEtcd
  /** All calls so far, in order. */
  readonly calls: StoreCall[] = []
  #connected = true
  #closed = false
  readonly #faults = new Map<StoreOp, Fault[]>()
  readonly #hanging = new Set<StoreOp>()
  readonly #watches = new Set<FakeWatch>()
  readonly #challenges: FakeChallenges
  readonly #configWatches = new Set<FakeConfigWatch>()

  /** @param clock for the wait for an answer to a challenge */
  constructor(etcd: FakeEtcd = new FakeEtcd(), clock: Clock = systemClock) {
    this.etcd = etcd
    this.#challenges = new FakeChallenges(etcd, clock, (op) => {
      if (this.#closed) throw failure(op, 'CLOSED')
      if (!this.#connected) throw failure(op, 'UNAVAILABLE')
    })
    etcd.onReplaced(() => {
      if (!this.#connected) return
      this.disconnect()
      this.reconnect()
    })
  }

  /** Calls so far that write keys; `keepAlive` is none. */
  get writes(): readonly StoreCall[] {
    return this.calls.filter(({ op }) => WRITES.has(op))
  }
  /** Watches that stand, connected or not. */
  get watchCount(): number {
    return this.#watches.size
  }

  /** The next call of this kind fails; several faults queue up. */
  failNext(op: StoreOp, fault: Fault): void {
    this.#faults.set(op, [...(this.#faults.get(op) ?? []), fault])
  }

  /** Calls of this kind from now on are answered only by their signal. @returns how to end that for later calls */
  hang(op: StoreOp): () => void {
    this.#hanging.add(op)
    return () => this.#hanging.delete(op)
  }

  /** Out of reach: watches lose their connection, calls fail as `UNAVAILABLE`. */
  disconnect(code: StoreErrorCode = 'UNAVAILABLE'): void {
    if (!this.#connected) return
    this.#connected = false
    for (const watch of this.#watches) watch.disconnect(failure('watch', code))
    for (const watch of this.#configWatches) watch.disconnect()
    this.#challenges.connectionChanged()
  }

  /** In reach again: watches catch up from where they were. */
  reconnect(): void {
    if (this.#connected) return
    this.#connected = true
    for (const watch of this.#watches) watch.connect()
    for (const watch of this.#configWatches) watch.connect()
    this.#challenges.connectionChanged()
  }

  readConfig(signal: AbortSignal): Promise<ConfigRecord | undefined> {
    return this.#call('readConfig', '', signal, () => this.etcd.config)
  }

  async *watchConfig(signal: AbortSignal): AsyncGenerator<ConfigRecord | undefined, void, undefined> {
    const watch = new FakeConfigWatch(this.etcd)
    const stop = (): void => {
      watch.stop()
    }
    this.#configWatches.add(watch)
    signal.addEventListener('abort', stop)
    try {
      if (signal.aborted || this.#closed) return
      if (this.#connected) watch.connect()
      yield* watch.values()
    } finally {
      stop()
      this.#configWatches.delete(watch)
      signal.removeEventListener('abort', stop)
    }
  }

  list(signal: AbortSignal): Promise<LeaseList> {
    const { etcd } = this
    return this.#call('list', '', signal, () => ({
      clusterId: etcd.clusterId,
      revision: etcd.revision,
      records: etcd.records,
    }))
  }

  create(
    key: string,
    value: string,
    lifetime: KeyLifetime,
    signal: AbortSignal,
    unless?: Newcomers,
  ): Promise<CasResult> {
    return this.#call('create', key, signal, () => {
      const found = this.etcd.get(key)
      const isFree = found === undefined && !this.#isAnyBefore(unless)
      return isFree ? this.#put('create', key, value, lifetime) : { ok: false, found }
    })
  }

  #isAnyBefore(unless: Newcomers | undefined): boolean {
    if (unless === undefined) return false
    const { after, within } = unless
    const isWithin = (key: string): boolean =>
      within === 'everywhere' || within.some(({ from, to }) => key >= from && key < to)
    return this.etcd.records.some(({ key, createRevision }) => createRevision > after && isWithin(key))
  }

  replace(seen: LeaseRecord, value: string, signal: AbortSignal, lifetime?: KeyLifetime): Promise<CasResult> {
    return this.#call('replace', seen.key, signal, () => {
      const found = this.etcd.get(seen.key)
      if (found?.modRevision !== seen.modRevision) return { ok: false, found }
      const { etcdLeaseId } = found
      return this.#put('replace', seen.key, value, lifetime ?? { kind: 'attach', etcdLeaseId })
    })
  }

  remove(seen: LeaseRecord, signal: AbortSignal): Promise<boolean> {
    return this.#call('remove', seen.key, signal, () => {
      const found = this.etcd.get(seen.key)
      if (found !== undefined && found.modRevision !== seen.modRevision) return false
      this.etcd.delete(seen.key)
      return true
    })
  }

  release(seen: LeaseRecord, signal: AbortSignal): Promise<boolean> {
    return this.#call('release', seen.key, signal, () => {
      const found = this.etcd.get(seen.key)
      if (found !== undefined && (found.modRevision !== seen.modRevision || found.value !== seen.value)) return false
      this.etcd.delete(seen.key)
      this.etcd.revokeBare(seen.etcdLeaseId)
      return true
    })
  }

  saidAt(key: string, revision: Revision, signal: AbortSignal): Promise<LeaseRecord | undefined | 'compacted'> {
    return this.#call('saidAt', key, signal, () => this.etcd.saidAt(key, revision))
  }

  keepAlive(etcdLeaseId: EtcdLeaseId, signal: AbortSignal): Promise<KeepAliveResult> {
    return this.#call('keepAlive', etcdLeaseId, signal, () => {
      const ttlSeconds = this.etcd.renew(etcdLeaseId)
      return ttlSeconds === undefined ? { alive: false } : { alive: true, ttlSeconds }
    })
  }

  watch(from: StoreIdentity, signal: AbortSignal, status: WatchStatus = {}): AsyncIterable<LeaseWatchEvent> {
    const watch = new FakeWatch(this.etcd, from, status)
    this.#watches.add(watch)
    return this.#follow(watch, signal)
  }

  async ask(key: string, from: Challenger, waitMs: number, signal: AbortSignal): Promise<Challenger | undefined> {
    const asked = await this.#call('ask', key, signal, () => this.#challenges.put(key, from))
    return this.#challenges.awaitAnswer(asked, waitMs, signal)
  }

  challenges(key: string, signal: AbortSignal): AsyncIterable<Challenge> {
    return this.#challenges.listen(key, signal)
  }

  answer(challenge: Challenge, by: Challenger, signal: AbortSignal): Promise<boolean> {
    return this.#call('answer', challenge.key, signal, () => this.#challenges.answer(challenge, by))
  }

  takeBack(nodeId: string, signal: AbortSignal): Promise<void> {
    return this.#call('takeBack', nodeId, signal, () => {
      this.#challenges.takeBack(nodeId)
    })
  }

  refreshConnections(): void {
    if (!this.#connected) return
    this.disconnect()
    this.reconnect()
  }

  close(): void {
    this.#closed = true
    for (const watch of this.#watches) watch.stop()
    for (const watch of this.#configWatches) watch.stop()
    this.#challenges.connectionChanged()
  }

  async *#follow(watch: FakeWatch, signal: AbortSignal): AsyncGenerator<LeaseWatchEvent, void, undefined> {
    const stop = (): void => {
      watch.abandon()
    }
    signal.addEventListener('abort', stop)
    try {
      if (signal.aborted || this.#closed) return
      if (this.#connected) watch.connect()
      else watch.disconnect(failure('watch', 'UNAVAILABLE'))
      yield* watch.events()
    } finally {
      stop()
      this.#watches.delete(watch)
      signal.removeEventListener('abort', stop)
    }
  }

  #put(op: StoreOp, key: string, value: string, lifetime: KeyLifetime): CasResult {
    const record = this.etcd.put(key, value, this.#etcdLeaseFor(lifetime))
    if (record === undefined) throw failure(op, 'NOT_FOUND')
    return { ok: true, record }
  }

  #etcdLeaseFor(lifetime: KeyLifetime): EtcdLeaseId {
    switch (lifetime.kind) {
      case 'grant':
        return this.etcd.grant(lifetime.ttlSeconds)
      case 'attach':
        return lifetime.etcdLeaseId
      case 'reservation':
        return NO_ETCD_LEASE
    }
  }

  /** Answers later than now, as a network does, unless a fault is set. */
  async #call<T>(op: StoreOp, target: string, signal: AbortSignal, effect: () => T): Promise<T> {
    this.calls.push({ op, target })
    if (this.#closed) throw failure(op, 'CLOSED')
    if (this.#hanging.has(op)) await aborted(signal)
    await Promise.resolve()
    if (signal.aborted) throw failure(op, 'ABORTED_BY_CALLER')
    if (!this.#connected) throw failure(op, 'UNAVAILABLE')
    const fault = this.#faults.get(op)?.shift()
    if (fault === undefined) return effect()
    if (fault.applied === true) effect()
    throw failure(op, fault.code)
  }
}
