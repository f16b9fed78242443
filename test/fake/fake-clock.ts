import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock, StopSignal } from '../../src/time/clock.ts'

interface Sleeper {
  readonly dueMs: number
  wake(): void
}

/** Rounds of the event loop after which whatever was woken has got as far as it can without time passing; one, where it only waits for promises. */
const SETTLING_TURNS = 3

/** More wakes than this, and one per millisecond, are a busy loop. */
const BUSY_WAKES = 10_000

/** A {@link Clock} that only moves when told to. */
export class FakeClock implements Clock {
  #nowMs: number
  readonly #settlingTurns: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(nowMs = 0, settlingTurns = SETTLING_TURNS) {
    this.#nowMs = nowMs
    this.#settlingTurns = settlingTurns
  }

  /** Sleeps under way: 0 after everything that waited was stopped. */
  get sleeping(): number {
    return this.#sleepers.size
  }

  /** How long until the next sleeper is due, in milliseconds; undefined when nobody sleeps. */
  get nextDueInMs(): number | undefined {
    const next = this.#next()
    return next === undefined ? undefined : next.dueMs - this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  sleep(ms: number, signal: StopSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(sleeper)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const sleeper: Sleeper = { dueMs: this.#nowMs + Math.max(0, ms), wake }
      this.#sleepers.add(sleeper)
      signal.addEventListener('abort', wake)
    })
  }

  /** Lets time pass: sleepers are woken one by one as they fall due, each settling before the next, those added meanwhile included. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await this.settle()
    let wakes = 0
    for (let next = this.#next(); next !== undefined && next.dueMs <= endMs; next = this.#next()) {
      if (++wakes > BUSY_WAKES + ms) throw new Error(`somebody sleeps and wakes without end at ${this.#nowMs} ms`)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.wake()
      await this.settle()
    }
    this.#nowMs = endMs
  }

  /** The machine stood still meanwhile: nobody is woken before time passes again. */
  jump(ms: number): void {
    this.#nowMs += ms
  }

  /** Lets everything run that does not wait for time to pass. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < this.#settlingTurns; turn++) await nextTurn()
  }

  /** The sleeper that falls due first; of several, the one that lay down first. */
  #next(): Sleeper | undefined {
    let next: Sleeper | undefined
    for (const sleeper of this.#sleepers) if (next === undefined || sleeper.dueMs < next.dueMs) next = sleeper
    return next
  }
}
