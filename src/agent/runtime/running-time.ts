import type { Clock } from '../../time/clock.ts'
import { isStopped } from './task.ts'

/** Between two looks at the clock, in milliseconds. */
const TICK_MS = 5_000
/** The most that is counted between two looks at the clock, in milliseconds; a longer gap means that the process was suspended. */
const MOST_MS = 2 * TICK_MS

/**
 * Time during which this process has run. A machine that is suspended, and a process that is stopped, come back to a clock that has
 * gone on (suspension stops CLOCK_MONOTONIC, a hypervisor or SIGSTOP does not): nothing that waited meanwhile is to blame.
 */
export class RunningTime {
  readonly #clock: Clock
  #lookedAtMs: number
  #runningMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lookedAtMs = clock.monotonicMs()
  }

  /** Milliseconds since it was made. */
  readMs(): number {
    const nowMs = this.#clock.monotonicMs()
    this.#runningMs += Math.min(nowMs - this.#lookedAtMs, MOST_MS)
    this.#lookedAtMs = nowMs
    return this.#runningMs
  }

  /** Keeps looking at the clock, without which nothing but gaps would be seen. */
  async run(signal: AbortSignal): Promise<void> {
    while (!isStopped(signal)) {
      this.readMs()
      await this.#clock.sleep(TICK_MS, signal)
    }
  }
}
