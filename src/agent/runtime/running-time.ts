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
  readonly #onLate: (ms: number) => void
  #lookedAtMs: number
  #runningMs = 0

  /** @param onLate told after every look by how much it came late, in milliseconds; must not throw */
  constructor(clock: Clock, onLate: (ms: number) => void = () => undefined) {
    this.#clock = clock
    this.#onLate = onLate
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
      const sinceMs = this.#clock.monotonicMs()
      await this.#clock.sleep(TICK_MS, signal)
      if (!isStopped(signal)) this.#onLate(Math.max(0, this.#clock.monotonicMs() - sinceMs - TICK_MS))
    }
  }
}
