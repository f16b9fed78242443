import type { Clock } from './clock.ts'

/** How many lines may come at once, and how far apart they are in the long run, in milliseconds. */
export interface LineRate {
  readonly burst: number
  readonly everyMs: number
}

/** Keeps what others can make us say within bounds: some lines at once, then one every so often. */
export class LineBudget {
  readonly #clock: Clock
  readonly #rate: LineRate
  /** When all lines said so far are paid for, on the monotonic clock. */
  #paidMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, rate: LineRate) {
    this.#clock = clock
    this.#rate = rate
  }

  /** Whether one more line may be said. Taken as said when it may. */
  take(): boolean {
    const { burst, everyMs } = this.#rate
    const nowMs = this.#clock.monotonicMs()
    const paidMs = Math.max(this.#paidMs, nowMs) + everyMs
    if (paidMs - nowMs > burst * everyMs) return false
    this.#paidMs = paidMs
    return true
  }
}
