import type { Clock, StopSignal } from './clock.ts'

/** A bell that is never missed: ringing it while nobody waits makes the next wait return at once. */
export class Wakeup {
  #rung = false
  #waiting: EarlyStop | undefined

  ring(): void {
    this.#rung = true
    this.#waiting?.stop()
  }

  /** Resolves when rung (also before the call), when `ms` milliseconds have passed, or when `signal` aborts. */
  async wait(clock: Clock, ms: number, signal: StopSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const waiting = new EarlyStop(signal)
      this.#waiting = waiting
      await clock.sleep(ms, waiting)
      this.#waiting = undefined
    }
    this.#rung = false
  }
}

/**
 * Stops a wait with another signal, or before it. Every change of a peer rings a bell, and an AbortController for each wait, with the
 * error that it makes of its end, would cost more than what is programmed.
 */
class EarlyStop implements StopSignal {
  readonly #signal: StopSignal
  readonly #listeners = new Set<() => void>()
  #stopped = false

  constructor(signal: StopSignal) {
    this.#signal = signal
  }

  get aborted(): boolean {
    return this.#stopped || this.#signal.aborted
  }

  stop(): void {
    this.#stopped = true
    for (const listener of this.#listeners) listener()
  }

  addEventListener(type: 'abort', listener: () => void): void {
    this.#listeners.add(listener)
    this.#signal.addEventListener(type, listener)
  }

  removeEventListener(type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener)
    this.#signal.removeEventListener(type, listener)
  }
}
