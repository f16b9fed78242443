/** Gives texts numbers from 0 on; those of texts that are gone are given again. For columns of what there is beside each. */
export class KeyNumbers {
  readonly #numbers = new Map<string, number>()
  readonly #free: number[] = []
  /** What was asked for last, and its number: it is mostly asked for again at once, and each look into a large map waits for memory. */
  #last = ''
  #lastAt: number | undefined

  get size(): number {
    return this.#numbers.size
  }

  find(key: string): number | undefined {
    if (key !== this.#last) this.#remember(key, this.#numbers.get(key))
    return this.#lastAt
  }

  /** @returns the number that the text has, or now has */
  add(key: string): number {
    const known = this.find(key)
    if (known !== undefined) return known
    const at = this.#free.pop() ?? this.#numbers.size
    this.#numbers.set(key, at)
    this.#remember(key, at)
    return at
  }

  /** @returns the number that is free now; undefined: there was no such text */
  delete(key: string): number | undefined {
    const at = this.find(key)
    if (at === undefined) return undefined
    this.#numbers.delete(key)
    this.#remember(key, undefined)
    this.#free.push(at)
    return at
  }

  keys(): Iterable<string> {
    return this.#numbers.keys()
  }

  [Symbol.iterator](): Iterator<readonly [key: string, at: number]> {
    return this.#numbers.entries()
  }

  #remember(key: string, at: number | undefined): void {
    this.#last = key
    this.#lastAt = at
  }
}
