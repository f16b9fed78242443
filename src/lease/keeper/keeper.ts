import type { Loop } from '../../time/loop.ts'
import type { FailingCall } from '../../time/failing-call.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Prefix } from '../../net/prefix.ts'
import { CloneCheck } from '../clone.ts'
import { parseLeaseKey } from '../codec.ts'
import type { LeaseLife, Revision } from '../lease.ts'
import { overlaps } from '../overlap.ts'
import { isElsewhere, isOursToRestore, ownerOf } from '../owner.ts'
import { StoreError, type LeaseDelta, type LeaseRecord } from '../store.ts'
import {
  heldKey,
  transition,
  type ForeignChange,
  type KeeperEvent,
  type KeeperState,
  type Live,
} from './keeper-state.ts'
import { isReadable, KeyWrites, type Keeping } from './key-writes.ts'
import type { KeeperOptions } from './options.ts'
import { KeeperSchedule } from './schedule.ts'

/** So long after a restored store shows our key as another's its holder is asked, in milliseconds: he has to find that store as well. */
const DISPUTE_MS = 1_000
/** Nothing but a ring is waited for this long. */
const LONGEST_REST_MS = 3_600_000

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
  readonly #cloneCheck: CloneCheck
  readonly #schedule: KeeperSchedule
  readonly #writes: KeyWrites
  readonly #wakeup = new Wakeup()

  constructor(record: LeaseRecord, options: KeeperOptions) {
    this.key = record.key
    this.#subnets = parseLeaseKey(record.key) ?? []
    this.#record = record
    this.#state = heldKey(record, options.terms)
    this.#options = options
    this.#cloneCheck = new CloneCheck(options.ourselves, options.challenge)
    this.#schedule = new KeeperSchedule(options, options.terms.ttlSeconds) // whoever acquires it has just done so
    this.#writes = new KeyWrites(this.#keeping(), this.#schedule, options)
  }

  /** As its writes know it. */
  #keeping(): Keeping {
    const state = (): KeeperState => this.#state
    return {
      ...{ key: this.key, subnets: this.#subnets },
      get state() {
        return state()
      },
      live: (signal) => this.#live(signal),
      hear: (event) => {
        this.#hear(event)
      },
      observeOthers: (records) => {
        this.observeOthers(records)
      },
      yieldToHolderAmong: (records, counts) => this.#yieldToHolderAmong(records, counts),
    }
  }

  /** How long the key will live, on the monotonic clock; undefined: it is gone, or lost. */
  get life(): LeaseLife | undefined {
    return this.#schedule.lifeOf(this.#state)
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
      this.#schedule.repairs.hurry()
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
    this.#schedule.repairs.hurry()
    this.#hear({ kind: 'wanted', value })
  }

  /** The connection to etcd is back: renews, and does what is to be repaired, without waiting any longer. */
  renewSoon(): void {
    this.#schedule.renewNow()
    this.#schedule.repairs.hurry()
    this.#schedule.renewals.hurry()
    this.#wakeup.ring()
  }

  #hear(event: KeeperEvent): void {
    const { state, foreign, isToRenewNow = false } = transition(this.#state, event, this.#options.terms)
    const { createRevision } = this.#record
    this.#state = state
    if (state.is !== 'lost') this.#record = state.record
    if (foreign === 'rewritten' && this.#record.createRevision > createRevision) this.#wasMadeAnew(this.#record)
    if (isToRenewNow) {
      this.#schedule.renewNow()
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
    if (done === 'rewritten' && isElsewhere(record, wanted)) this.#cloneCheck.suspect(record)
    if (this.#schedule.isPutOff) return // it will be answered together with the one before
    if (!this.#schedule.undone()) return
    this.#options.onState({ is: 'contested', record, done }, `keeps being ${done} by somebody else`)
    if (done === 'rewritten') this.#cloneCheck.suspect(record)
  }

  /** Holds the lease until the signal aborts (then undefined) or it is lost (then why). Errors of the store are retried for ever. */
  async hold({ signal, rest }: Loop): Promise<string | undefined> {
    const { clock, onState } = this.#options
    for (let live = this.#live(signal); live !== undefined; live = this.#live(signal)) {
      const nowMs = clock.monotonicMs()
      if (this.#disputed !== undefined) {
        const { record, dueMs } = this.#disputed
        const askAtMs = Math.max(dueMs, this.#schedule.repairs.notBeforeMs)
        if (askAtMs > nowMs) await rest(askAtMs - nowMs, this.#wakeup)
        else await this.#try(this.#schedule.repairs, 'cannot be written', () => this.#settle(record, signal), signal)
        continue
      }
      const [repairAtMs, renewAtMs] = [this.#schedule.repairDueMs(live), this.#schedule.renewalDueMs(live)]
      if (repairAtMs <= nowMs)
        await this.#try(this.#schedule.repairs, 'cannot be written', () => this.#repair(signal), signal)
      else if (renewAtMs <= nowMs)
        await this.#try(this.#schedule.renewals, 'cannot be renewed', () => this.#writes.renew(signal), signal)
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

  /** @throws what is no error of the store */
  async #try(retries: FailingCall, problem: string, act: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, onState } = this.#options
    const wasFailing = this.#schedule.isInTrouble()
    try {
      await act()
      retries.succeeded()
      const live = this.#live(signal)
      if (wasFailing && !this.#schedule.isInTrouble() && live !== undefined)
        onState({ is: 'held', record: live.record }, 'renewed again')
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof StoreError)) throw error
      retries.failed(clock.monotonicMs())
      if (!wasFailing && this.#state.is !== 'lost')
        onState({ is: 'unrenewed', record: this.#state.record, error }, problem)
    }
  }

  async #repair(signal: AbortSignal): Promise<void> {
    const reason = await this.#cloneCheck.reasonToYield(signal)
    if (reason !== undefined) this.makeWay(reason)
    const live = this.#live(signal)
    if (live?.is === 'to recreate') await this.#writes.recreate(live, signal)
    else if (live?.is === 'to restore') await this.#writes.restore(live, signal)
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
}

/** Whom we may not ask may live. @throws every other error */
function asUnknown(error: unknown): 'unknown' {
  if (error instanceof StoreError && error.code === 'PERMISSION_DENIED') return 'unknown'
  throw error
}
