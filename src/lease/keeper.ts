import type { Clock, Random } from '../time/clock.ts'
import { Wakeup } from '../time/wakeup.ts'
import { Damping } from '../time/damping.ts'
import { NO_ETCD_LEASE, type EtcdLeaseId, type Revision } from './lease.ts'
import { isOursToRestore, ownerOf } from './owner.ts'
import { Retries } from '../time/retries.ts'
import { StoreError, type KeyLifetime, type LeaseDelta, type LeaseRecord, type LeaseStore } from './store.ts'
import { isShortLived, type LeaseTerms } from './terms.ts'
import { CloneCheck, type AskClone } from './clone.ts'

/** Where this node stands with its lease. */
export type LeaseState =
  | { readonly is: 'held'; readonly record: LeaseRecord }
  /** etcd does not answer, or refuses; the lease still runs. Said once per trouble. Forwarding goes on regardless. */
  | { readonly is: 'unrenewed'; readonly record: LeaseRecord; readonly error: StoreError }
  /** Somebody keeps changing our key, of late in this way; we answer ever more slowly. A machine with our node id would rewrite it. */
  | { readonly is: 'contested'; readonly record: LeaseRecord; readonly done: 'deleted' | 'rewritten' }
  /** Somebody else holds our key now, or is to hold it. */
  | { readonly is: 'lost'; readonly reason: string }

export interface KeeperOptions {
  readonly store: LeaseStore
  readonly terms: Pick<LeaseTerms, 'node' | 'instance' | 'ttlSeconds'>
  readonly clock: Clock
  readonly random: Random
  /** Renewed at the latest this long before expiry, in milliseconds. */
  readonly renewMarginMs: number
  /** Asks whether another machine holds our key too; absent: nobody is asked. */
  readonly challenge?: AskClone
  /** Called at every change of state; must not throw. */
  readonly onState: (state: LeaseState, what: string) => void
}

/** Renewal touches no key and wakes no watcher, so once an hour is cheap even with ten thousand nodes. */
const LONGEST_INTERVAL_MS = 3_600_000
/** A margin (nearly) as long as the time to live cannot be kept: so much time is taken until it, in milliseconds. */
const LEAST_UNTIL_MARGIN_MS = 60_000
/** Spread of renewals, as a share of the interval. */
const JITTER = 0.1
/** For {@link Damping}: there is one key. */
const OWN_KEY = 'own key'
const AT_ONCE = Number.NEGATIVE_INFINITY
const NEVER = Number.POSITIVE_INFINITY

/**
 * Holds a lease once acquired: renews it, puts the key back with the same subnet when it vanishes, restores it when somebody
 * rewrote it, and gives it up, never overwriting, when it has become another node's.
 */
export class LeaseKeeper {
  readonly #options: KeeperOptions
  #record: LeaseRecord
  /** What the key should say. */
  #value: string
  /** What it may say because of writes of ours that had no answer. */
  readonly #unanswered = new Set<string>()
  /** The etcd lease the key should hang on: none for a reservation; undefined when a new one must be granted. */
  #home: EtcdLeaseId | undefined
  /** Life of that etcd lease as the store counts it. */
  #ttlSeconds: number
  #repair: 'none' | 'recreate' | 'restore' = 'none'
  /** On the monotonic clock. */
  #renewAtMs: number
  #lost: string | undefined
  /** Newest revision that was observed during our last write. */
  #observedRevision: Revision | undefined
  /** Two machines that both believe the key theirs must not race each other at full speed. */
  readonly #damping: Damping
  readonly #cloneCheck: CloneCheck
  readonly #repairs: Retries
  readonly #renewals: Retries
  readonly #wakeup = new Wakeup()

  constructor(record: LeaseRecord, options: KeeperOptions) {
    this.#record = record
    this.#value = record.value
    this.#home = record.etcdLeaseId
    this.#ttlSeconds = options.terms.ttlSeconds
    this.#options = options
    this.#damping = new Damping(options.random)
    this.#cloneCheck = new CloneCheck(options.terms, options.challenge)
    this.#repairs = new Retries(options.random)
    this.#renewals = new Retries(options.random)
    this.#renewAtMs = this.#nextRenewalMs()
  }

  get key(): string {
    return this.#record.key
  }

  /** Tells the keeper what the watch saw of its own key. */
  observe(delta: LeaseDelta): void {
    if (delta.revision <= this.#record.modRevision) return
    this.#observedRevision = delta.revision
    if (delta.kind === 'deleted') this.#observeGone()
    else this.#observePut(delta.record)
  }

  /** Tells the keeper what a complete list shows of its own key. */
  observeList(record: LeaseRecord | undefined): void {
    if (record === undefined) this.#observeGone()
    else if (record.modRevision !== this.#record.modRevision || record.value !== this.#record.value)
      this.#observePut(record)
  }

  /** From now on the key should say this instead. Written at once, whatever failed before. */
  publish(value: string): void {
    if (value === this.#value) return
    this.#value = value
    if (this.#repair === 'none') this.#repair = 'restore'
    this.#repairs.hurry()
    this.#wakeup.ring()
  }

  /** The connection to etcd is back: renews, and does what is to be repaired, without waiting any longer. */
  renewSoon(): void {
    this.#renewAtMs = this.#options.clock.monotonicMs()
    this.#repairs.hurry()
    this.#renewals.hurry()
    this.#wakeup.ring()
  }

  #observeGone(): void {
    if (this.#repair !== 'recreate') this.#countForeignChange('deleted')
    this.#repair = 'recreate'
    this.#wakeup.ring()
  }

  #observePut(record: LeaseRecord): void {
    if (record.value !== this.#value && !isOursToRestore(record, this.#value, this.#options.terms)) {
      this.#lost = `lease ${record.key} now belongs to ${ownerOf(record)}`
      this.#wakeup.ring()
      return
    }
    const isNew = record.modRevision !== this.#record.modRevision
    const isForeign = record.value !== this.#value && !this.#unanswered.has(record.value)
    this.#record = record
    if (isNew && isForeign && this.#countForeignChange('rewritten')) this.#cloneCheck.suspect(record)
    if (record.value === this.#value) this.#observeHome(record.etcdLeaseId)
    else this.#repair = 'restore'
    this.#wakeup.ring()
  }

  /** The key says what it should, but may hang on an etcd lease that is not ours. */
  #observeHome(etcdLeaseId: EtcdLeaseId): void {
    this.#repair = 'none'
    // An operator makes a reservation of a lease by writing the same value on no etcd lease (upstream's documentation).
    if (etcdLeaseId === NO_ETCD_LEASE) this.#home = NO_ETCD_LEASE
    else if (this.#home === NO_ETCD_LEASE) this.#repair = 'restore'
    // Perhaps a write of ours whose answer was lost, perhaps a short lease of somebody else: renewing it tells.
    else if (etcdLeaseId !== this.#home) this.#renewAtMs = this.#options.clock.monotonicMs()
  }

  /** @returns whether it has become a fight */
  #countForeignChange(done: 'deleted' | 'rewritten'): boolean {
    const { clock, onState } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs < this.#damping.notBeforeMs(OWN_KEY)) return false // it will be answered together with the one before
    if (!this.#damping.undone(OWN_KEY, nowMs)) return false
    onState({ is: 'contested', record: this.#record, done }, `keeps being ${done} by somebody else`)
    return true
  }

  /** Holds the lease until `signal` aborts (then undefined) or it is lost (then why). Errors of the store are retried for ever. */
  async hold(signal: AbortSignal): Promise<string | undefined> {
    const { clock, onState } = this.#options
    while (!this.#isOver(signal)) {
      const nowMs = clock.monotonicMs()
      const [repairAtMs, renewAtMs] = [this.#repairDueMs(), this.#renewalDueMs()]
      if (repairAtMs <= nowMs) await this.#try(this.#repairs, 'cannot be written', () => this.#doRepair(signal), signal)
      else if (renewAtMs <= nowMs)
        await this.#try(this.#renewals, 'cannot be renewed', () => this.#renew(signal), signal)
      else await this.#wakeup.wait(clock, Math.min(repairAtMs, renewAtMs, nowMs + LONGEST_INTERVAL_MS) - nowMs, signal)
    }
    if (this.#lost !== undefined) onState({ is: 'lost', reason: this.#lost }, this.#lost)
    return this.#lost
  }

  #isOver(signal: AbortSignal): boolean {
    return signal.aborted || this.#lost !== undefined
  }

  #repairDueMs(): number {
    if (this.#repair === 'none') return this.#repairs.isFailing ? AT_ONCE : NEVER
    return Math.max(this.#repairs.notBeforeMs, this.#damping.notBeforeMs(OWN_KEY))
  }

  #renewalDueMs(): number {
    if (this.#record.etcdLeaseId === NO_ETCD_LEASE || this.#repair === 'recreate')
      return this.#renewals.isFailing ? AT_ONCE : NEVER
    return Math.max(this.#renewals.notBeforeMs, this.#renewAtMs)
  }

  #nextRenewalMs(): number {
    const { renewMarginMs, random, clock } = this.#options
    const ttlMs = this.#ttlSeconds * 1_000
    const untilMarginMs = Math.max(ttlMs - renewMarginMs, Math.min(ttlMs / 3, LEAST_UNTIL_MARGIN_MS))
    return clock.monotonicMs() + Math.min(untilMarginMs / 2, LONGEST_INTERVAL_MS) * (1 - JITTER * random())
  }

  /** @throws what is no error of the store */
  async #try(retries: Retries, problem: string, act: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, onState } = this.#options
    const wasFailing = this.#isInTrouble()
    try {
      await act()
      retries.succeeded()
      if (wasFailing && !this.#isInTrouble() && !this.#isOver(signal))
        onState({ is: 'held', record: this.#record }, 'renewed again')
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof StoreError)) throw error
      retries.failed(clock.monotonicMs())
      if (!wasFailing) onState({ is: 'unrenewed', record: this.#record, error }, problem)
    }
  }

  #isInTrouble(): boolean {
    return this.#repairs.isFailing || this.#renewals.isFailing
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { etcdLeaseId } = this.#record
    if (etcdLeaseId === NO_ETCD_LEASE || this.#repair === 'recreate') return // nothing to renew
    const result = await this.#options.store.keepAlive(etcdLeaseId, signal)
    if (result.alive) this.#renewed(etcdLeaseId, result.ttlSeconds)
    else this.#expired(etcdLeaseId)
  }

  #renewed(etcdLeaseId: EtcdLeaseId, ttlSeconds: number): void {
    if (etcdLeaseId !== this.#home && isShortLived(ttlSeconds, this.#options.terms)) {
      if (this.#repair === 'none') this.#repair = 'restore'
    } else {
      this.#home = etcdLeaseId
      this.#ttlSeconds = ttlSeconds
    }
    this.#renewAtMs = this.#nextRenewalMs()
  }

  /** The key went with its etcd lease, unless somebody has moved it meanwhile. */
  #expired(etcdLeaseId: EtcdLeaseId): void {
    if (this.#home === etcdLeaseId) this.#home = undefined
    if (this.#record.etcdLeaseId === etcdLeaseId) this.#repair = 'recreate'
  }

  async #doRepair(signal: AbortSignal): Promise<void> {
    const reason = await this.#cloneCheck.reasonToYield(signal)
    this.#lost ??= reason
    if (this.#isOver(signal)) return
    if (this.#repair === 'recreate') await this.#recreate(signal)
    else if (this.#repair === 'restore') await this.#restore(signal)
  }

  /** The key is gone: puts it back while it is free. A reservation comes back as a reservation. */
  async #recreate(signal: AbortSignal): Promise<void> {
    const lifetime = await this.#lifetime(signal)
    const value = this.#beginWrite()
    const result = await this.#options.store.create(this.key, value, lifetime, signal)
    if (result.ok) this.#wrote(result.record, 'had vanished from etcd and was published again')
    else if (result.found !== undefined) this.#observePut(result.found)
  }

  /** The key is still ours, but does not say what it should, or hangs on another's etcd lease. */
  async #restore(signal: AbortSignal): Promise<void> {
    const lifetime = this.#record.etcdLeaseId === this.#home ? undefined : await this.#lifetime(signal)
    const value = this.#beginWrite()
    const result = await this.#options.store.replace(this.#record, value, signal, lifetime)
    if (result.ok) this.#wrote(result.record, 'was written again, because it did not say what it should')
    else if (result.found === undefined) this.#observeGone()
    else this.#observePut(result.found)
  }

  /** Where the key belongs: our own etcd lease while it lives, else a new one; none for a reservation. */
  async #lifetime(signal: AbortSignal): Promise<KeyLifetime> {
    const home = this.#home
    if (home === NO_ETCD_LEASE) return { kind: 'reservation' }
    if (home !== undefined && (await this.#options.store.keepAlive(home, signal)).alive)
      return { kind: 'attach', etcdLeaseId: home }
    return { kind: 'grant', ttlSeconds: this.#options.terms.ttlSeconds }
  }

  #beginWrite(): string {
    this.#observedRevision = undefined
    this.#unanswered.add(this.#value)
    return this.#value
  }

  /** What was observed during the write may be newer than it, and what the key should say may have changed. */
  #wrote(record: LeaseRecord, what: string): void {
    const { terms, onState } = this.#options
    this.#unanswered.clear()
    if (record.etcdLeaseId !== this.#home) this.#ttlSeconds = terms.ttlSeconds
    this.#home = record.etcdLeaseId
    if (this.#observedRevision === undefined || this.#observedRevision <= record.modRevision) {
      this.#record = record
      this.#repair = record.value === this.#value ? 'none' : 'restore'
    }
    this.#renewAtMs = Math.min(this.#renewAtMs, this.#nextRenewalMs())
    onState({ is: 'held', record }, what)
  }
}
