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
      const stop = (): void => {
        waiting.abort()
      }
      this.#waiting = waiting
      signal.addEventListener('abort', stop)
      await clock.sleep(ms, waiting.signal)
      signal.removeEventListener('abort', stop)
      this.#waiting = undefined
    }
    this.#rung = false
  }
}
