import type { Clock, Random } from '../time/clock.ts'
import type { Loop } from '../time/loop.ts'
import { Wakeup } from '../time/wakeup.ts'
import { Damping } from '../time/damping.ts'
import { FailingCall } from '../time/failing-call.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Challenger } from './challenges.ts'
import { CloneCheck, type AskClone } from './clone.ts'
import { decodeLease, parseLeaseKey } from './codec.ts'
import { heldKey, transition, type ForeignChange, type KeeperEvent, type KeeperState } from './keeper-state.ts'
import { NO_ETCD_LEASE, type Revision } from './lease.ts'
import { isComplete, newcomersAmong, overlaps } from './overlap.ts'
import { isElsewhere, isOursToRestore, ownerOf } from './owner.ts'
import {
  StoreError,
  type CasResult,
  type KeyLifetime,
  type LeaseDelta,
  type LeaseRecord,
  type LeaseStore,
} from './store.ts'
import type { LeaseTerms } from './terms.ts'

/** Where this node stands with its lease. */
export type LeaseState =
  | { readonly is: 'held'; readonly record: LeaseRecord }
  /** etcd does not answer, or refuses; the lease still runs. Said once per trouble. Forwarding goes on regardless. */
  | { readonly is: 'unrenewed'; readonly record: LeaseRecord; readonly error: StoreError }
  /** Somebody keeps changing our key, of late in this way; we answer ever more slowly. A machine with our node id would rewrite it. */
  | { readonly is: 'contested'; readonly record: LeaseRecord; readonly done: ForeignChange }
  /** Somebody else holds our key now, or is to hold it. */
  | { readonly is: 'lost'; readonly reason: string }

/** When a key ends, if nobody renews it. A reservation is never renewed, and does not end. */
export interface LeaseLife {
  readonly renewedAtMs: number | undefined
  readonly expiresAtMs: number | undefined
}

export interface KeeperOptions {
  readonly store: LeaseStore
  readonly terms: Pick<LeaseTerms, 'node' | 'ttlSeconds'>
  /** As we ask, and as we answer who asks. */
  readonly ourselves: Challenger
  readonly clock: Clock
  readonly random: Random
  /** Renewed at the latest this long before expiry, in milliseconds. */
  readonly renewMarginMs: number
  /** Asks whether another machine holds our key too; absent: nobody is asked. */
  readonly challenge?: AskClone
  /** Called when the key, saying what it should, stands on an etcd lease that we do not know: a copy of us may have put it there. Must not throw. */
  readonly onDoubt?: () => void
  /** Called when a copy of us made our key anew after it had ended: it has held it for longer than we do now. Must not throw. */
  readonly onInterrupted?: () => void
  /** Called at every change of state; must not throw. */
  readonly onState: (state: LeaseState, what: string) => void
}

/**
 * Of the time to live, from one renewal to the next at least: ten thousand nodes with a day to live renew 21 times a minute. What is left
 * when one fails is twice as long.
 */
const SHARE_OF_TTL = 1 / 3
/** Nothing but a ring is waited for this long. */
const LONGEST_REST_MS = 3_600_000
/** A margin (nearly) as long as the time to live cannot be kept: so much time is taken until it, in milliseconds. */
const LEAST_UNTIL_MARGIN_MS = 60_000
/** Spread of renewals, as a share of the interval. */
const JITTER = 0.1
/** For {@link Damping}: there is one key. */
const OWN_KEY = 'own key'
const AT_ONCE = Number.NEGATIVE_INFINITY
const NEVER = Number.POSITIVE_INFINITY
/** So long after a restored store shows our key as another's its holder is asked, in milliseconds: he has to find that store as well. */
const DISPUTE_MS = 1_000
/** Of many that put their keys back at once, all but one are refused: so often in a row they try again before they let others go first. */
const OVERTAKEN_AT_MOST = 3

/** What the key still needs of us. */
type Live = Exclude<KeeperState, { is: 'lost' }>

/**
 * Holds a lease once acquired: renews it, puts the key back with the same subnet when it vanishes, restores it when somebody
 * rewrote it, and gives it up, never overwriting, when it has become another node's. What the key's state is, and what changes it,
 * is {@link transition}'s business; this loop does what the state asks for, when it is time.
 */
export class LeaseKeeper {
  readonly key: string
  readonly #subnets: readonly Prefix[]
  readonly #options: KeeperOptions
  #state: KeeperState
  /** As it was known last. */
  #record: LeaseRecord
  #hasMetClone = false
  /** What a restored store says of our key, and when to ask whether that is so. */
  #disputed: { readonly record: LeaseRecord; readonly dueMs: number } | undefined
  #timesOvertaken = 0
  /** On the monotonic clock. */
  #renewAtMs: number
  /** When the etcd lease that the key hangs on was granted or renewed last, on the same clock. */
  #renewedAtMs: number
  /** Two machines that both believe the key theirs must not race each other at full speed. */
  readonly #damping: Damping
  readonly #cloneCheck: CloneCheck
  readonly #repairs: FailingCall
  readonly #renewals: FailingCall
  readonly #wakeup = new Wakeup()

  constructor(record: LeaseRecord, options: KeeperOptions) {
    this.key = record.key
    this.#subnets = parseLeaseKey(record.key) ?? []
    this.#record = record
    this.#state = heldKey(record, options.terms)
    this.#options = options
    this.#damping = new Damping(options.random)
    this.#cloneCheck = new CloneCheck(options.ourselves, options.challenge)
    this.#repairs = new FailingCall(options.random)
    this.#renewals = new FailingCall(options.random)
    this.#renewAtMs = this.#nextRenewalMs(options.terms.ttlSeconds)
    this.#renewedAtMs = options.clock.monotonicMs() // whoever acquires it has just done so
  }

  /** How long the key will live, on the monotonic clock; undefined: it is gone, or lost. */
  get life(): LeaseLife | undefined {
    const state = this.#state
    if (state.is === 'lost' || state.is === 'to recreate') return undefined
    const renewedAtMs = this.#renewedAtMs
    if (state.home === NO_ETCD_LEASE) return { renewedAtMs: undefined, expiresAtMs: undefined }
    return { renewedAtMs, expiresAtMs: renewedAtMs + state.ttlSeconds * 1_000 }
  }

  /** Orders leases by age. */
  get createRevision(): Revision {
    return this.#record.createRevision
  }

  /** Tells the keeper what the watch saw of its own key. */
  observe(delta: LeaseDelta): void {
    this.#disputed = undefined
    this.#hear(delta)
  }

  /**
   * Tells the keeper what a complete list shows of its own key. A store that was restored may show what another node held long ago: that
   * is not believed before its holder was asked: one that has it no more takes it away, or does not answer for it.
   */
  observeList(record: LeaseRecord | undefined, wasReset = false): void {
    this.#disputed = undefined
    if (wasReset && record !== undefined && this.#isForeign(record)) {
      this.#disputed = { record, dueMs: this.#options.clock.monotonicMs() + DISPUTE_MS }
      this.#wakeup.ring()
    } else this.#hear({ kind: 'listed', record })
  }

  /**
   * Tells the keeper of leases of others. An older one that has any of our addresses has them by right: all nodes honour that one. The
   * key of ours that stands is left to the next acquisition, which has no use for it either.
   */
  observeOthers(records: readonly LeaseRecord[]): void {
    if (this.#state.is === 'lost') return
    if (this.#state.is === 'to recreate') {
      this.#observeOthersInstead(records, this.#state.unanswered.size > 0)
      return
    }
    const { createRevision } = this.#state.record
    const older = records.filter((record) => record.createRevision < createRevision)
    this.#yieldToHolderAmong(older, (record, wanted) => !isOursToRestore(record, wanted, this.#options.terms))
  }

  /** Our key is gone. Whoever has our addresses now was first, unless a write of ours, of which we have no answer, was: that is looked at at once. */
  #observeOthersInstead(records: readonly LeaseRecord[], mayBeBack: boolean): void {
    if (!mayBeBack) this.#yieldToHolderAmong(records, isReadable)
    else if (records.some(({ key }) => overlaps(this.#subnets, key))) {
      this.#repairs.hurry()
      this.#wakeup.ring()
    }
  }

  /** Gives the lease up to another machine that has our node id. */
  makeWay(reason: string): void {
    this.#hasMetClone = true
    this.#hear({ kind: 'yielded', reason })
  }

  get hasMetClone(): boolean {
    return this.#hasMetClone
  }

  /** From now on the key should say this instead. Written at once, whatever failed before. */
  publish(value: string): void {
    if (this.#state.is === 'lost' || value === this.#state.wanted) return
    this.#repairs.hurry()
    this.#hear({ kind: 'wanted', value })
  }

  /** The connection to etcd is back: renews, and does what is to be repaired, without waiting any longer. */
  renewSoon(): void {
    this.#renewAtMs = this.#options.clock.monotonicMs()
    this.#repairs.hurry()
    this.#renewals.hurry()
    this.#wakeup.ring()
  }

  #hear(event: KeeperEvent): void {
    const { state, foreign, isToRenewNow = false } = transition(this.#state, event, this.#options.terms)
    const { createRevision } = this.#record
    this.#state = state
    if (state.is !== 'lost') this.#record = state.record
    if (foreign === 'rewritten' && this.#record.createRevision > createRevision) this.#wasMadeAnew(this.#record)
    if (isToRenewNow) {
      this.#renewAtMs = this.#options.clock.monotonicMs()
      this.#options.onDoubt?.()
    }
    if (foreign !== undefined && state.is !== 'lost') this.#countForeignChange(foreign, state)
    this.#wakeup.ring()
  }

  /** Our key ended, and somebody made it: what we held before counts no more against a copy of us. */
  #wasMadeAnew(record: LeaseRecord): void {
    if (this.#state.is !== 'lost' && isElsewhere(record, this.#state.wanted)) this.#options.onInterrupted?.()
  }

  #countForeignChange(done: ForeignChange, { record, wanted }: Live): void {
    const { clock, onState } = this.#options
    const nowMs = clock.monotonicMs()
    if (done === 'rewritten' && isElsewhere(record, wanted)) this.#cloneCheck.suspect(record)
    if (nowMs < this.#damping.notBeforeMs(OWN_KEY)) return // it will be answered together with the one before
    if (!this.#damping.undone(OWN_KEY, nowMs)) return
    onState({ is: 'contested', record, done }, `keeps being ${done} by somebody else`)
    if (done === 'rewritten') this.#cloneCheck.suspect(record)
  }

  /** Holds the lease until the signal aborts (then undefined) or it is lost (then why). Errors of the store are retried for ever. */
  async hold({ signal, rest }: Loop): Promise<string | undefined> {
    const { clock, onState } = this.#options
    for (let live = this.#live(signal); live !== undefined; live = this.#live(signal)) {
      const nowMs = clock.monotonicMs()
      if (this.#disputed !== undefined) {
        const { record, dueMs } = this.#disputed
        const askAtMs = Math.max(dueMs, this.#repairs.notBeforeMs)
        if (askAtMs > nowMs) await rest(askAtMs - nowMs, this.#wakeup)
        else await this.#try(this.#repairs, 'cannot be written', () => this.#settle(record, signal), signal)
        continue
      }
      const [repairAtMs, renewAtMs] = [this.#repairDueMs(live), this.#renewalDueMs(live)]
      if (repairAtMs <= nowMs) await this.#try(this.#repairs, 'cannot be written', () => this.#repair(signal), signal)
      else if (renewAtMs <= nowMs)
        await this.#try(this.#renewals, 'cannot be renewed', () => this.#renew(signal), signal)
      else await rest(Math.min(repairAtMs, renewAtMs, nowMs + LONGEST_REST_MS) - nowMs, this.#wakeup)
    }
    if (this.#state.is !== 'lost') return undefined
    const { reason } = this.#state
    onState({ is: 'lost', reason }, reason)
    return reason
  }

  /** The state for as long as there is anything to do. */
  #live(signal: AbortSignal): Live | undefined {
    return signal.aborted || this.#state.is === 'lost' ? undefined : this.#state
  }

  #repairDueMs({ is }: Live): number {
    if (is === 'held') return this.#repairs.isFailing ? AT_ONCE : NEVER
    return Math.max(this.#repairs.notBeforeMs, this.#damping.notBeforeMs(OWN_KEY))
  }

  #renewalDueMs(state: Live): number {
    if (isToRenew(state)) return Math.max(this.#renewals.notBeforeMs, this.#renewAtMs)
    return this.#renewals.isFailing ? AT_ONCE : NEVER
  }

  #nextRenewalMs(ttlSeconds: number): number {
    const { renewMarginMs, random, clock } = this.#options
    const ttlMs = ttlSeconds * 1_000
    const untilMarginMs = Math.max(ttlMs - renewMarginMs, Math.min(ttlMs / 3, LEAST_UNTIL_MARGIN_MS))
    const jitter = JITTER * random()
    const inMs = Math.min((untilMarginMs / 2) * (1 - jitter), ttlMs * SHARE_OF_TTL * (1 + jitter))
    return clock.monotonicMs() + inMs
  }

  /** @throws what is no error of the store */
  async #try(retries: FailingCall, problem: string, act: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, onState } = this.#options
    const wasFailing = this.#isInTrouble()
    try {
      await act()
      retries.succeeded()
      const live = this.#live(signal)
      if (wasFailing && !this.#isInTrouble() && live !== undefined)
        onState({ is: 'held', record: live.record }, 'renewed again')
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof StoreError)) throw error
      retries.failed(clock.monotonicMs())
      if (!wasFailing && this.#state.is !== 'lost')
        onState({ is: 'unrenewed', record: this.#state.record, error }, problem)
    }
  }

  #isInTrouble(): boolean {
    return this.#repairs.isFailing || this.#renewals.isFailing
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const live = this.#live(signal)
    if (live === undefined || !isToRenew(live)) return
    const { etcdLeaseId } = live.record
    const result = await this.#options.store.keepAlive(etcdLeaseId, signal)
    if (!result.alive) {
      this.#damping.undone(OWN_KEY, this.#options.clock.monotonicMs()) // a store that says so of what stands is not to keep us busy
      this.#hear({ kind: 'expired', etcdLeaseId })
    } else {
      this.#hear({ kind: 'renewed', etcdLeaseId, ttlSeconds: result.ttlSeconds })
      this.#renewedAtMs = this.#options.clock.monotonicMs()
      if (this.#state.is !== 'lost') this.#renewAtMs = this.#nextRenewalMs(this.#state.ttlSeconds)
    }
  }

  async #repair(signal: AbortSignal): Promise<void> {
    const reason = await this.#cloneCheck.reasonToYield(signal)
    if (reason !== undefined) this.makeWay(reason)
    const live = this.#live(signal)
    if (live?.is === 'to recreate') await this.#recreate(live, signal)
    else if (live?.is === 'to restore') await this.#restore(live, signal)
  }

  /**
   * The key is gone: puts it back while all of its addresses are free, whatever the names of the leases that could have them by now, and
   * whosever they are: one with our node id may be that of a copy of this machine. A reservation comes back as a reservation.
   */
  async #recreate(before: Live, signal: AbortSignal): Promise<void> {
    const { store } = this.#options
    const list = await store.list(signal)
    const found = list.records.find(({ key }) => key === this.key)
    if (found !== undefined) this.#hear({ kind: 'refused', found })
    if (found !== undefined || this.#yieldToHolderAmong(list.records, isReadable)) return
    const lifetime = await this.#lifetime(before, signal)
    const live = this.#beginWrite(signal)
    if (live === undefined) return
    const unless = newcomersAmong(this.#subnets, list)
    const result = await store.create(this.key, live.wanted, lifetime, signal, unless)
    if (!result.ok && result.found === undefined) {
      this.#wasOvertaken()
      return
    }
    this.#timesOvertaken = 0
    this.#endWrite(result, 'had vanished from etcd and was published again')
    if (result.ok && !isComplete(unless, this.#subnets)) this.observeOthers((await store.list(signal)).records)
  }

  /** Whoever was faster may have our addresses: that is looked at at once, though not for ever. @throws {StoreError} */
  #wasOvertaken(): void {
    this.#timesOvertaken += 1
    if (this.#timesOvertaken <= OVERTAKEN_AT_MOST) return
    this.#timesOvertaken = 0
    throw new StoreError({
      op: 'create',
      code: 'ABORTED',
      retryable: true,
      message: 'other leases were created meanwhile',
    })
  }

  /** @returns whether one of these leases has any of our addresses, and counts, and so we have lost them */
  #yieldToHolderAmong(
    records: readonly LeaseRecord[],
    counts: (record: LeaseRecord, wanted: string) => boolean,
  ): boolean {
    if (this.#state.is === 'lost') return true
    const { wanted } = this.#state
    const holder = records.find(
      (record) => record.key !== this.key && overlaps(this.#subnets, record.key) && counts(record, wanted),
    )
    if (holder === undefined) return false
    const reason = `lease ${holder.key} of ${ownerOf(holder)} has addresses of lease ${this.key}`
    this.#hear({ kind: 'yielded', reason })
    return true
  }

  /** The key is still ours, but does not say what it should, or hangs on another's etcd lease. */
  async #restore(before: Live, signal: AbortSignal): Promise<void> {
    const lifetime = before.record.etcdLeaseId === before.home ? undefined : await this.#lifetime(before, signal)
    const live = this.#beginWrite(signal)
    if (live === undefined) return
    const result = await this.#options.store.replace(live.record, live.wanted, signal, lifetime)
    this.#endWrite(result, 'was written again, because it did not say what it should')
  }

  #isForeign(record: LeaseRecord): boolean {
    const { terms } = this.#options
    return this.#state.is !== 'lost' && !isOursToRestore(record, this.#state.wanted, terms)
  }

  /** Another holds our key, as a restored store has it: whoever answers has it, and from who does not it is taken back. */
  async #settle(record: LeaseRecord, signal: AbortSignal): Promise<void> {
    const dispute = this.#disputed
    const { challenge } = this.#options
    const answer = challenge === undefined ? 'unknown' : await challenge(signal).catch(asUnknown)
    if (this.#disputed !== dispute) return // it has changed meanwhile
    this.#disputed = undefined
    this.#hear(answer === undefined ? { kind: 'abandoned', record } : { kind: 'listed', record })
  }

  /** Where the key belongs: our own etcd lease while it lives, else a new one; none for a reservation. */
  async #lifetime({ home }: Live, signal: AbortSignal): Promise<KeyLifetime> {
    if (home === NO_ETCD_LEASE) return { kind: 'reservation' }
    if (home !== undefined && (await this.#options.store.keepAlive(home, signal)).alive)
      return { kind: 'attach', etcdLeaseId: home }
    return { kind: 'grant', ttlSeconds: this.#options.terms.ttlSeconds }
  }

  #beginWrite(signal: AbortSignal): Live | undefined {
    this.#hear({ kind: 'writing' })
    return this.#live(signal)
  }

  #endWrite(result: CasResult, what: string): void {
    if (!result.ok) {
      this.#hear({ kind: 'refused', found: result.found })
      return
    }
    const { record } = result
    if (this.#state.is !== 'lost' && record.etcdLeaseId !== this.#state.home)
      this.#renewedAtMs = this.#options.clock.monotonicMs() // it was granted for this
    this.#hear({ kind: 'written', record })
    if (this.#state.is !== 'lost')
      this.#renewAtMs = Math.min(this.#renewAtMs, this.#nextRenewalMs(this.#state.ttlSeconds))
    this.#options.onState({ is: 'held', record }, what)
  }
}

/** A reservation needs no renewing, and of a key that is gone there is nothing to renew. */
const isToRenew = ({ is, record }: Live): boolean => is !== 'to recreate' && record.etcdLeaseId !== NO_ETCD_LEASE

/** Of what nobody can read, nobody makes use. */
const isReadable = (record: LeaseRecord): boolean => !('rejected' in decodeLease(record))

/** Whom we may not ask may live. @throws every other error */
function asUnknown(error: unknown): 'unknown' {
  if (error instanceof StoreError && error.code === 'PERMISSION_DENIED') return 'unknown'
  throw error
}
