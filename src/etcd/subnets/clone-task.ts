import type { Challenger, Challenges } from '../../lease/challenges.ts'
import { cloneReason, makesWay, permitted } from '../../lease/clone.ts'
import { CLONE_ANSWERS_WITHIN_MS } from '../../lease/proof.ts'
import { StoreError } from '../../lease/store.ts'
import type { Clock, Random } from '../../time/clock.ts'
import { ExpiringKeys } from '../../time/expiring-keys.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import { isStopped, ROUND_MS, type Task } from '../../agent/runtime/task.ts'

export interface CloneTaskInput {
  readonly store: Pick<Challenges, 'ask'>
  readonly clock: Clock
  readonly random: Random
  /** The lease we hold. */
  readonly key: string
  /** It stood there before us, and so may be another's as well. */
  readonly isDoubtful: boolean
  readonly ourselves: Challenger
  /** Gives the lease up. */
  readonly makeWay: (reason: string) => void
}

/**
 * After the start, in milliseconds, from once to twice as much: not while everybody starts who was started with us, and again for a machine
 * that stood still meanwhile. No more than that: every question is three revisions of a store that may never be compacted.
 */
const AFTER_START_MS = [10_000, 80_000, 640_000]
/** After the connection to etcd was lost: somebody may have asked us in vain. Many lose it at once. */
const AFTER_OUTAGE_MS = 30_000
/** After the store failed, and for whoever makes us suspicious again and again. */
const AGAIN_MS = 30_000
/** A copy that waits asks every minute: we ask because of it this seldom. */
const MET_MS = 3_600_000
/** Nothing but a ring matters. */
const IDLE_MS = 3_600_000

/**
 * Asks, some time after the start, whether another machine holds the very lease that we have kept: a copy of this one, with our subnet
 * file and our PublicIP too, takes our lease for its own beyond doubt, and writes just what we would write. Asks again when somebody with
 * our node id says that he holds it. The one that has held it for less long makes way.
 */
export class CloneTask implements Task {
  readonly name = 'copies of this machine'
  readonly roundMs = ROUND_MS.etcd
  readonly #input: CloneTaskInput
  readonly #bell = new Wakeup()
  /** Delays of the questions still to come, the next one first. */
  #delaysMs: readonly number[]
  /** On the monotonic clock; undefined: nothing to ask. */
  #askAtMs: number | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY
  /** Instances with our node id that have asked. */
  readonly #met: ExpiringKeys

  constructor(input: CloneTaskInput) {
    this.#input = input
    this.#met = new ExpiringKeys(input.clock)
    this.#delaysMs = input.isDoubtful ? AFTER_START_MS : []
  }

  /**
   * Somebody asks about our lease. One with our node id is worth a question, and no more: it may be what we were before we were killed. At
   * once when it says that it holds that lease, and has for longer; else some time later, when it may have taken silence of ours for our death.
   */
  observe(asker: Challenger): void {
    const { ourselves, clock } = this.#input
    if (asker.id !== ourselves.id || asker.instance === ourselves.instance) return
    const isElder = asker.since !== undefined && makesWay(ourselves, asker)
    if (isElder) this.#askIn(Math.max(this.#askedAtMs + AGAIN_MS - clock.monotonicMs(), 0))
    else if (!this.#met.has(asker.instance)) this.#askIn(AGAIN_MS)
    this.#met.add(asker.instance, MET_MS)
  }

  /** Our key was written by somebody, just as we would write it. */
  suspect(): void {
    this.#askIn(AGAIN_MS)
  }

  /** The connection to etcd was lost, and is back. */
  afterOutage(): void {
    this.#askIn(AFTER_OUTAGE_MS * (1 + this.#input.random()))
  }

  async run({ signal, rest }: Loop): Promise<void> {
    this.#scheduleNext()
    while (!isStopped(signal)) {
      const waitMs = (this.#askAtMs ?? Infinity) - this.#input.clock.monotonicMs()
      if (waitMs > 0) await rest(Math.min(waitMs, IDLE_MS), this.#bell)
      else if (await this.#ask(signal)) this.#scheduleNext()
      else this.#askAtMs = this.#askedAtMs + AGAIN_MS
    }
  }

  #scheduleNext(): void {
    const [delayMs, ...later] = this.#delaysMs
    this.#delaysMs = later
    if (delayMs !== undefined) this.#askIn(delayMs * (1 + this.#input.random()))
  }

  #askIn(delayMs: number): void {
    this.#askAtMs = Math.min(this.#askAtMs ?? Infinity, this.#input.clock.monotonicMs() + delayMs)
    this.#bell.ring()
  }

  /** @returns whether there was an answer, or silence */
  async #ask(signal: AbortSignal): Promise<boolean> {
    const { store, clock, key, ourselves, makeWay } = this.#input
    this.#askedAtMs = clock.monotonicMs()
    this.#askAtMs = undefined
    try {
      const other = await permitted(store.ask(key, ourselves, CLONE_ANSWERS_WITHIN_MS, signal))
      if (other !== undefined && makesWay(ourselves, other)) makeWay(cloneReason(other))
      else if (other?.id === ourselves.id && other.instance !== ourselves.instance) this.#askIn(AGAIN_MS) // until it has made way
      return true
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return false
    }
  }
}
