import type { Clock } from '../../time/clock.ts'
import { isStopped } from './task.ts'

/** Between two looks at the clock, in milliseconds. */
const TICK_MS = 5_000
/** However long the clock has not been looked at, this much of it was lived at most, in milliseconds: a timer may be late. */
const MOST_MS = 2 * TICK_MS

/**
 * Time during which this process has run. A machine that is suspended, and a process that is stopped, come back to a clock that has
 * gone on (suspension stops CLOCK_MONOTONIC, a hypervisor or SIGSTOP does not): nothing that waited meanwhile is to blame.
 */
export class LivedTime {
  readonly #clock: Clock
  #lookedAtMs: number
  #livedMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lookedAtMs = clock.monotonicMs()
  }

  /** Milliseconds since it was made. */
  readMs(): number {
    const nowMs = this.#clock.monotonicMs()
    this.#livedMs += Math.min(nowMs - this.#lookedAtMs, MOST_MS)
    this.#lookedAtMs = nowMs
    return this.#livedMs
  }

  /** Keeps looking at the clock, without which nothing but gaps would be seen. */
  async run(signal: AbortSignal): Promise<void> {
    while (!isStopped(signal)) {
      this.readMs()
      await this.#clock.sleep(TICK_MS, signal)
    }
  }
}
