/** Gives texts numbers from 0 on; those of texts that are gone are given again. For columns of what there is beside each. */
export class KeyNumbers {
  readonly #numbers = new Map<string, number>()
  readonly #free: number[] = []

  get size(): number {
    return this.#numbers.size
  }

  find(key: string): number | undefined {
    return this.#numbers.get(key)
  }

  /** @returns the number that the text has, or now has */
  add(key: string): number {
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const at = this.#free.pop() ?? this.#numbers.size
    this.#numbers.set(key, at)
    return at
  }

  /** @returns the number that is free now; undefined: there was no such text */
  delete(key: string): number | undefined {
    const at = this.#numbers.get(key)
    if (at === undefined) return undefined
    this.#numbers.delete(key)
    this.#free.push(at)
    return at
  }

  keys(): Iterable<string> {
    return this.#numbers.keys()
  }

  [Symbol.iterator](): Iterator<readonly [key: string, at: number]> {
    return this.#numbers.entries()
  }
}
