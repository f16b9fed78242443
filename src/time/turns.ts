import { NEVER_STOPS, type Clock } from './clock.ts'

/** Milliseconds that nobody waits longer for, as of {@link Slices}: one part of the work comes on top. */
const TURN_MS = 4

/** Turns of the event loop for others, in work whose parts await something that may be there at once. */
export class Turns {
  readonly #clock: Clock
  #sinceMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
  }

  /** Between two parts: lets others have their turn, if they have not had one for some milliseconds. */
  async give(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#sinceMs < TURN_MS) return
    await this.#clock.sleep(0, NEVER_STOPS)
    this.#sinceMs = this.#clock.monotonicMs()
  }
}
