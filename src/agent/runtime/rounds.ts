import type { Watchdog, Work } from './watchdog.ts'

/**
 * The rounds of one task, as the watchdog sees them: it works, rests and works again. Each rest is over when it says, and what it does
 * between two of them ends in time, or the task has got stuck, whatever it waits for.
 */
export class Rounds {
  readonly #what: string
  readonly #mostMs: number
  readonly #watchdog: Pick<Watchdog, 'begin' | 'end'>
  #expected: Work | undefined
  #isRunning = false

  /** @param mostMs of one round, from its waking to its next rest; Infinity: nothing is expected */
  constructor(name: string, mostMs: number, watchdog: Pick<Watchdog, 'begin' | 'end'>) {
    this.#what = `${name}: has not come round`
    this.#mostMs = mostMs
    this.#watchdog = watchdog
  }

  begin(): void {
    this.#isRunning = true
    this.#expect(this.#mostMs)
  }

  /** Nothing is expected any more, also when a rest that nobody waited for ends later. */
  end(): void {
    this.#isRunning = false
    this.#forget()
  }

  #forget(): void {
    if (this.#expected !== undefined) this.#watchdog.end(this.#expected)
    this.#expected = undefined
  }

  /** Hands `resting` through, which is to settle within `ms` milliseconds. */
  async rest<T>(ms: number, resting: Promise<T>): Promise<T> {
    this.#expect(ms + this.#mostMs)
    try {
      return await resting
    } finally {
      this.#expect(this.#mostMs)
    }
  }

  #expect(withinMs: number): void {
    this.#forget()
    if (this.#isRunning && withinMs !== Infinity) this.#expected = this.#watchdog.begin(this.#what, withinMs)
  }
}
