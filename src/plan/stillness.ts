import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Clock } from '../time/clock.ts'

interface Sleeper {
  readonly dueMs: number
  wake(): void
}

/** Time that passes only when {@link advance} is called: to when the next sleeper is due. */
export class PlanClock implements Clock {
  #nowMs = 0
  readonly #sleepers = new Set<Sleeper>()

  monotonicMs(): number {
    return this.#nowMs
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
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

  /** Wakes whoever is due next. @returns whether anybody is, ever */
  advance(): boolean {
    const dueMs = Math.min(...[...this.#sleepers].map((sleeper) => sleeper.dueMs))
    if (dueMs === Infinity) return false
    this.#nowMs = Math.max(this.#nowMs, dueMs)
    for (const sleeper of [...this.#sleepers]) if (sleeper.dueMs <= this.#nowMs) sleeper.wake()
    return true
  }
}

/** So many rounds of the event loop in which nothing is under way, and whoever was woken has got as far as it can. */
const STILL_TURNS = 4

/** How Node names files that are read, written or closed just then (`FSReqPromise`, `FSReqCallback`, a handle's `CloseReq`). */
const OF_FILES = /^FSReq|^CloseReq$/

/** Whether this process waits for a file. */
export const isReadingFiles = (): boolean => process.getActiveResourcesInfo().some((name) => OF_FILES.test(name))

/** Knows whether anything is under way outside of this process. */
export class Activity {
  readonly #isReadingFiles: () => boolean
  #underWay = 0

  /** @param isReadingFiles files are read and written behind the ports' back */
  constructor(isReadingFiles: () => boolean) {
    this.#isReadingFiles = isReadingFiles
  }

  /** Hands `answer` through, and counts it as under way until it settles. */
  async during<T>(answer: Promise<T>): Promise<T> {
    this.#underWay++
    try {
      return await answer
    } finally {
      this.#underWay--
    }
  }

  /** Resolves when nothing is under way any more. */
  async ends(): Promise<void> {
    for (let still = 0; still < STILL_TURNS;) {
      const isBusy = this.#underWay > 0 || this.#isReadingFiles()
      still = isBusy ? 0 : still + 1
      await (isBusy ? setTimeout(1) : setImmediate())
    }
  }
}
