import { backoffMs, type BackoffSpec } from './backoff.ts'
import type { Random } from './clock.ts'

/** Changes by others that are answered at once, and how long it must be quiet before they count anew, in milliseconds. */
const ANSWERED_AT_ONCE = 3
const QUIET_MS = 60_000
const PAUSE: BackoffSpec = { firstMs: 1_000, mostMs: 60_000, jitter: 0.3 }

/** Counts what others do to our key: two machines that both believe it theirs must not race each other at full speed. */
export class Contest {
  readonly #random: Random
  #changes = 0
  #lastMs = Number.NEGATIVE_INFINITY
  #answerAtMs = Number.NEGATIVE_INFINITY

  constructor(random: Random) {
    this.#random = random
  }

  /** From when on the last change may be answered, on the monotonic clock. */
  get answerAtMs(): number {
    return this.#answerAtMs
  }

  /**
   * Somebody else changed the key. Changes while we wait to answer an earlier one count as that one.
   * @returns whether this has become a fight, and a longer pause than before
   */
  changed(nowMs: number): boolean {
    const isPausing = nowMs < this.#answerAtMs
    const isQuiet = nowMs - Math.max(this.#lastMs, this.#answerAtMs) > QUIET_MS
    this.#lastMs = nowMs
    if (isPausing) return false
    this.#changes = isQuiet ? 1 : this.#changes + 1
    const excess = this.#changes - ANSWERED_AT_ONCE
    if (excess > 0) this.#answerAtMs = nowMs + backoffMs(PAUSE, excess, this.#random)
    return excess > 0
  }
}
