import type { Clock } from './clock.ts'

/** Turns that may follow each other at once. */
const BURST = 10
/** Between turns in the long run, in milliseconds. */
const SPACING_MS = 250

/** Lets some turns through at once, and then four a second: whoever rings a bell in a loop must not keep us busy. */
export class Pace {
  readonly #clock: Clock
  /** When all turns taken so far are paid for, on the monotonic clock. */
  #paidMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when the next turn may begin, or when `signal` aborts. */
  async turn(signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    this.#paidMs = Math.max(this.#paidMs, nowMs) + SPACING_MS
    const delayMs = this.#paidMs - nowMs - BURST * SPACING_MS
    if (delayMs > 0) await this.#clock.sleep(delayMs, signal)
  }
}
