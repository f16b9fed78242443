/**
 * Numbers by when they are due, in buckets of one width: nothing is sorted, and nothing is looked for among ten thousand. A number that was
 * put elsewhere since, or nowhere, is passed over when the turn of its bucket comes.
 */
export class DueBuckets {
  readonly #widthMs: number
  /** By their end, in widths. */
  readonly #buckets = new Map<number, number[]>()
  /** Before this one there is none; Infinity: there is none at all. */
  #first = Number.POSITIVE_INFINITY

  /** @param widthMs who is due within one of these is due at its end, in milliseconds */
  constructor(widthMs: number) {
    this.#widthMs = widthMs
  }

  /** @returns when it is due, which is not earlier than asked for */
  put(slot: number, dueMs: number): number {
    const end = Math.ceil(dueMs / this.#widthMs)
    const bucket = this.#buckets.get(end)
    if (bucket === undefined) this.#buckets.set(end, [slot])
    else bucket.push(slot)
    this.#first = Math.min(this.#first, end)
    return end * this.#widthMs
  }

  /**
   * When the first of them is due; Infinity: none is.
   * @param isDue whether a number is due then, as far as is known elsewhere
   */
  nextMs(isDue: (slot: number, dueMs: number) => boolean): number {
    while (this.#buckets.size > 0) {
      const bucket = this.#buckets.get(this.#first)
      const slot = bucket?.at(-1)
      if (slot !== undefined && isDue(slot, this.#first * this.#widthMs)) return this.#first * this.#widthMs
      if (slot !== undefined) bucket?.pop()
      else this.#buckets.delete(this.#first++)
    }
    this.#first = Number.POSITIVE_INFINITY
    return this.#first
  }

  /** Takes one of those that are due first, if they are by now. */
  take(nowMs: number, isDue: (slot: number, dueMs: number) => boolean): number | undefined {
    return this.nextMs(isDue) <= nowMs ? this.#buckets.get(this.#first)?.pop() : undefined
  }
}
