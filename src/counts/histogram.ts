/** How often something took how long, as Prometheus' histograms have it: counts of all that were no larger than each bound. */
export interface HistogramReading {
  /** Upper bounds, ascending; a last one, infinity, is meant. */
  readonly bounds: readonly number[]
  /** Of each bound, how many were no larger. */
  readonly cumulative: readonly number[]
  /** How many there were at all. */
  readonly count: number
  readonly sum: number
}

/** Counts values by size, in memory that does not grow. */
export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #count = 0
  #sum = 0

  /** @param bounds upper bounds, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  /** What is no number is not counted: a sum that it has got into would stay so. */
  observe(value: number): void {
    if (!Number.isFinite(value)) return
    this.#count++
    this.#sum += value
    const at = this.#bounds.findIndex((bound) => value <= bound)
    const before = this.#counts[at]
    if (before !== undefined) this.#counts[at] = before + 1
  }

  read(): HistogramReading {
    let sum = 0
    return {
      bounds: this.#bounds,
      cumulative: this.#counts.map((count) => (sum += count)),
      count: this.#count,
      sum: this.#sum,
    }
  }
}
