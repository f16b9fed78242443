import type { Clock } from './clock.ts'

/** How many may follow each other at once, and how far apart they are in the long run, in milliseconds. */
export interface Rate {
  readonly burst: number
  readonly everyMs: number
}

/**
 * Token bucket: `burst` at once, then one every `everyMs`. It bounds how often others can make us do something, be it a line in the log
 * or a look at the kernel.
 */
export class RateLimit {
  readonly #clock: Clock
  readonly #rate: Rate
  /** When all that was taken so far is paid for, on the monotonic clock. */
  #paidMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock
    this.#rate = rate
  }

  /** Takes one if there is one. @returns whether there was */
  take(): boolean {
    const paidMs = this.#paidWithOneMore()
    if (this.#delayMs(paidMs) > 0) return false
    this.#paidMs = paidMs
    return true
  }

  /** Takes one. Resolves when it may be used, or when `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    this.#paidMs = this.#paidWithOneMore()
    const delayMs = this.#delayMs(this.#paidMs)
    if (delayMs > 0) await this.#clock.sleep(delayMs, signal)
  }

  #paidWithOneMore(): number {
    return Math.max(this.#paidMs, this.#clock.monotonicMs()) + this.#rate.everyMs
  }

  #delayMs(paidMs: number): number {
    const { burst, everyMs } = this.#rate
    return paidMs - this.#clock.monotonicMs() - burst * everyMs
  }
}
