import { Damping } from '../../time/damping.ts'
import { FailingCall } from '../../time/failing-call.ts'
import { NO_ETCD_LEASE, type LeaseLife } from '../lease.ts'
import type { KeeperState, Live } from './keeper-state.ts'
import type { KeeperOptions } from './options.ts'

/**
 * Of the time to live, from one renewal to the next at least: ten thousand nodes with a day to live renew 21 times a minute. What is left
 * when one fails is twice as long.
 */
const SHARE_OF_TTL = 1 / 3
/** A margin (nearly) as long as the time to live cannot be kept: so much time is taken until it, in milliseconds. */
const LEAST_UNTIL_MARGIN_MS = 60_000
/** Spread of renewals, as a share of the interval. */
const JITTER = 0.1
/** For {@link Damping}: there is one key. */
const OWN_KEY = 'own key'
const AT_ONCE = Number.NEGATIVE_INFINITY
const NEVER = Number.POSITIVE_INFINITY

/** When the key is to be renewed, and when it is to be put right: by its life, by what failed, and by who keeps changing it. */
export class KeeperSchedule {
  readonly repairs: FailingCall
  readonly renewals: FailingCall
  readonly #options: Pick<KeeperOptions, 'clock' | 'random' | 'renewMarginMs'>
  /** On the monotonic clock. */
  #renewAtMs: number
  /** When the etcd lease that the key hangs on was granted or renewed last, on the same clock. */
  #renewedAtMs: number
  /** Two machines that both believe the key theirs must not race each other at full speed. */
  readonly #damping: Damping

  /** Of a key that was acquired just now. */
  constructor(options: Pick<KeeperOptions, 'clock' | 'random' | 'renewMarginMs'>, ttlSeconds: number) {
    const { random } = options
    this.#options = options
    this.#damping = new Damping(random)
    this.repairs = new FailingCall(random)
    this.renewals = new FailingCall(random)
    this.#renewAtMs = this.#nextRenewalMs(ttlSeconds)
    this.#renewedAtMs = this.#nowMs
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }

  /** Whether something has failed, and has not worked since. */
  isInTrouble(): boolean {
    return this.repairs.isFailing || this.renewals.isFailing
  }

  /** How long a key lives, on the monotonic clock; undefined: it is gone, or lost. */
  lifeOf(state: KeeperState): LeaseLife | undefined {
    if (state.is === 'lost' || state.is === 'to recreate') return undefined
    const renewedAtMs = this.#renewedAtMs
    if (state.home === NO_ETCD_LEASE) return { renewedAtMs: undefined, expiresAtMs: undefined }
    return { renewedAtMs, expiresAtMs: renewedAtMs + state.ttlSeconds * 1_000 }
  }

  /** To be renewed as soon as that may be tried. */
  renewNow(): void {
    this.#renewAtMs = this.#nowMs
  }

  /** The etcd lease lives for its whole time from now on. */
  renewed(): void {
    this.#renewedAtMs = this.#nowMs
  }

  /** To be renewed when that is due for such a time to live. */
  renewLater(ttlSeconds: number): void {
    this.#renewAtMs = this.#nextRenewalMs(ttlSeconds)
  }

  /** The same, or earlier where that was said before. */
  renewNoLater(ttlSeconds: number): void {
    this.#renewAtMs = Math.min(this.#renewAtMs, this.#nextRenewalMs(ttlSeconds))
  }

  /** What was done is undone. @returns whether that happens over and over */
  undone(): boolean {
    return this.#damping.undone(OWN_KEY, this.#nowMs)
  }

  /** Whether what was undone before is still waited with. */
  get isPutOff(): boolean {
    return this.#nowMs < this.#damping.notBeforeMs(OWN_KEY)
  }

  /** When the key is to be put right, on the monotonic clock. */
  repairDueMs({ is }: Live): number {
    if (is === 'held') return this.repairs.isFailing ? AT_ONCE : NEVER
    return Math.max(this.repairs.notBeforeMs, this.#damping.notBeforeMs(OWN_KEY))
  }

  /** When it is to be renewed, on the same clock. */
  renewalDueMs(state: Live): number {
    if (isToRenew(state)) return Math.max(this.renewals.notBeforeMs, this.#renewAtMs)
    return this.renewals.isFailing ? AT_ONCE : NEVER
  }

  #nextRenewalMs(ttlSeconds: number): number {
    const { renewMarginMs, random, clock } = this.#options
    const ttlMs = ttlSeconds * 1_000
    const untilMarginMs = Math.max(ttlMs - renewMarginMs, Math.min(ttlMs / 3, LEAST_UNTIL_MARGIN_MS))
    const jitter = JITTER * random()
    const inMs = Math.min((untilMarginMs / 2) * (1 - jitter), ttlMs * SHARE_OF_TTL * (1 + jitter))
    return clock.monotonicMs() + inMs
  }
}

/** A reservation needs no renewing, and of a key that is gone there is nothing to renew. */
export const isToRenew = ({ is, record }: Live): boolean => is !== 'to recreate' && record.etcdLeaseId !== NO_ETCD_LEASE
