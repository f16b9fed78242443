/** Questions that leave in a second, whatever happens. */
const MOST = 50
/** Without those that somebody waits for: one of these need not wait for the next second. */
const MOST_UNASKED = 45
/** The same where hardly anybody answers: what is asked then says little, and goes on for long. */
const MOST_IN_SILENCE = 20
/** Who has to wait does so until so many can leave together: waking costs more than asking. */
const TOGETHER = 15
const SECOND_MS = 1_000

/** One answer or loss more weighs so much against all before it. */
const WEIGHT = 1 / 32
/** Where a smaller share is answered, hardly anybody answers. */
const SILENCE = 1 / 4

/** How many questions may leave, and when. Times are on the monotonic clock, in milliseconds. */
export class Budget {
  /** When the last {@link MOST} left, and where the oldest of them stands. */
  readonly #sent = new Float64Array(MOST).fill(Number.NEGATIVE_INFINITY)
  #oldest = 0
  /** Share of the last questions that were answered. */
  #answered = 1

  /** Whether hardly anybody answers. */
  get isSilent(): boolean {
    return this.#answered < SILENCE
  }

  heard(isAnswer: boolean): void {
    this.#answered += ((isAnswer ? 1 : 0) - this.#answered) * WEIGHT
  }

  sent(nowMs: number): void {
    this.#sent[this.#oldest] = nowMs
    this.#oldest = (this.#oldest + 1) % MOST
  }

  /** How many may leave now, of those that somebody waits for. */
  urgent(nowMs: number): number {
    return MOST - this.#countSince(nowMs - SECOND_MS)
  }

  /** The same of all others. */
  left(nowMs: number): number {
    return Math.max(0, this.#most - this.#countSince(nowMs - SECOND_MS))
  }

  /** From when on one may leave that somebody waits for. */
  get urgentFromMs(): number {
    return this.#newest(MOST) + SECOND_MS
  }

  /** From when on some of the others may leave together. */
  get fromMs(): number {
    return this.#newest(this.#most - TOGETHER + 1) + SECOND_MS
  }

  get #most(): number {
    return this.isSilent ? MOST_IN_SILENCE : MOST_UNASKED
  }

  /** When the one left that is as many back, the last being 1. */
  #newest(back: number): number {
    return this.#sent[(this.#oldest + MOST - back) % MOST] ?? Number.NEGATIVE_INFINITY
  }

  #countSince(ms: number): number {
    let count = 0
    while (count < MOST && this.#newest(count + 1) > ms) count++
    return count
  }
}
