import type { Clock } from './clock.ts'

/** A bell that is never missed: ringing it while nobody waits makes the next wait return at once. */
export class Wakeup {
  #rung = false
  #waiting: AbortController | undefined

  ring(): void {
    this.#rung = true
    this.#waiting?.abort()
  }

  /** Resolves when rung (also before the call), when `ms` milliseconds have passed, or when `signal` aborts. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const waiting = new AbortController()
      this.#waiting = waiting
      await clock.sleep(ms, AbortSignal.any([signal, waiting.signal]))
      this.#waiting = undefined
    }
    this.#rung = false
  }
}
