import { NEVER_STOPS, type Clock } from './clock.ts'

/** Something that is done in steps, between which others may have their turn, and what comes of it. */
export type Steps<T = void> = Generator<void, T, undefined>

/** Takes all steps without a pause. @returns what comes of them */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** Milliseconds that nobody waits longer for: a step comes on top. Three may be at it in one turn of the event loop. */
const SLICE_MS = 4

/**
 * Does long things one after the other, some milliseconds at a time. What takes no longer than that, and has nothing before it, is done
 * before {@link run} returns: whoever has little to do need not wait.
 */
export class Slices {
  readonly #clock: Clock
  readonly #waiting: Steps[] = []
  #rest: Promise<void> | undefined
  #isStepping = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Also for a step itself: then that comes behind what it is a step of.
   * @returns settles once it is done; undefined: it is, or is about to be. Rejects, or throws, what a step has thrown
   */
  run(steps: Steps): Promise<void> | undefined {
    this.#waiting.push(steps)
    if (this.#isStepping) return this.#rest
    if (this.#rest === undefined && !this.#isSliceEnough()) this.#rest = this.#goOn()
    return this.#rest
  }

  /** As {@link run}. @returns what comes of the steps */
  outcome<T>(steps: Steps<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.run(handing(steps, resolve))?.catch(reject)
    })
  }

  async #goOn(): Promise<void> {
    try {
      do await this.#clock.sleep(0, NEVER_STOPS)
      while (!this.#isSliceEnough())
    } finally {
      this.#rest = undefined
    }
  }

  /** Goes on for a while. @returns whether all is done */
  #isSliceEnough(): boolean {
    const endMs = this.#clock.monotonicMs() + SLICE_MS
    for (let steps = this.#waiting[0]; steps !== undefined; steps = this.#waiting[0])
      if (this.#isDone(steps)) this.#waiting.shift()
      else if (this.#clock.monotonicMs() >= endMs) return false
    return true
  }

  /** Takes a step. What fails is not gone on with. */
  #isDone(steps: Steps): boolean {
    this.#isStepping = true
    try {
      return steps.next().done === true
    } catch (error) {
      this.#waiting.shift()
      throw error
    } finally {
      this.#isStepping = false
    }
  }
}

function* handing<T>(steps: Steps<T>, to: (outcome: T) => void): Steps {
  to(yield* steps)
}
