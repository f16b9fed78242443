/** Upper bounds of the round trips that are counted together, in milliseconds; above the last, one more. */
export const RTT_BOUNDS_MS: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000]

/** What has been asked since the start, in all. */
export interface ProbeTotals {
  /** Questions sent, of whatever size. */
  readonly questions: number
  readonly answers: number
  /** Of those that peers are judged by, not answered; what does not pass for its size alone is not among them. */
  readonly lost: number
  /** Round trips through the overlay: how many up to each bound of {@link RTT_BOUNDS_MS} and not up to the one before; the last one above all. */
  readonly rttCounts: readonly number[]
  readonly rttSumMs: number
}

export const NOTHING_ASKED: ProbeTotals = { questions: 0, answers: 0, lost: 0, rttCounts: [], rttSumMs: 0 }

/** Two of them together. */
export const inAll = (a: ProbeTotals, b: ProbeTotals): ProbeTotals => ({
  questions: a.questions + b.questions,
  answers: a.answers + b.answers,
  lost: a.lost + b.lost,
  rttCounts: Array.from(
    { length: Math.max(a.rttCounts.length, b.rttCounts.length) },
    (_, at) => (a.rttCounts[at] ?? 0) + (b.rttCounts[at] ?? 0),
  ),
  rttSumMs: a.rttSumMs + b.rttSumMs,
})

export class Totals {
  #questions = 0
  #answers = 0
  #lost = 0
  #rttSumMs = 0
  readonly #rttCounts: number[] = Array.from({ length: RTT_BOUNDS_MS.length + 1 }, () => 0)

  asked(): void {
    this.#questions++
  }

  /** @param rttMs NaN: it is not known */
  answered(rttMs: number): void {
    this.#answers++
    if (Number.isNaN(rttMs)) return
    this.#rttSumMs += rttMs
    const found = RTT_BOUNDS_MS.findIndex((bound) => rttMs <= bound)
    const at = found === -1 ? RTT_BOUNDS_MS.length : found
    this.#rttCounts[at] = (this.#rttCounts[at] ?? 0) + 1
  }

  missed(): void {
    this.#lost++
  }

  read(): ProbeTotals {
    return {
      questions: this.#questions,
      answers: this.#answers,
      lost: this.#lost,
      rttCounts: [...this.#rttCounts],
      rttSumMs: this.#rttSumMs,
    }
  }
}
