import type { Clock } from './clock.ts'

/** Keys that are remembered for a while, each for as long as was said when it was added. Those whose time is over take no memory. */
export class ExpiringKeys {
  readonly #clock: Clock
  /** Until when, on the monotonic clock. */
  readonly #untilMs = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** From now on, for `lifeMs` milliseconds. One that is remembered already is remembered anew. */
  add(key: string, lifeMs: number): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [known, untilMs] of this.#untilMs) if (untilMs <= nowMs) this.#untilMs.delete(known)
    this.#untilMs.set(key, nowMs + lifeMs)
  }

  has(key: string): boolean {
    return this.expiryMs(key) !== undefined
  }

  /** When it is forgotten, on the monotonic clock; undefined: it is not remembered. */
  expiryMs(key: string): number | undefined {
    const untilMs = this.#untilMs.get(key)
    return untilMs === undefined || untilMs <= this.#clock.monotonicMs() ? undefined : untilMs
  }
}
