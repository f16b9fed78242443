/** Several values per key, at the cost of a plain map where there is one each, as there nearly always is. */
export class Multimap<T extends object> {
  readonly #first = new Map<string, T>()
  /** Where there is more than one, all but the first. */
  readonly #others = new Map<string, Set<T>>()

  add(key: string, value: T): void {
    const first = this.#first.get(key)
    if (first === undefined) this.#first.set(key, value)
    if (first === undefined || first === value) return
    const others = this.#others.get(key) ?? new Set()
    this.#others.set(key, others.add(value))
  }

  delete(key: string, value: T): void {
    const others = this.#others.get(key)
    if (this.#first.get(key) !== value) others?.delete(value)
    else this.#replaceFirst(key, others)
    if (others?.size === 0) this.#others.delete(key)
  }

  #replaceFirst(key: string, others: Set<T> | undefined): void {
    const [next] = others ?? []
    if (next === undefined) this.#first.delete(key)
    else this.#first.set(key, next)
    if (next !== undefined) others?.delete(next)
  }

  *get(key: string): Generator<T, void, undefined> {
    const first = this.#first.get(key)
    if (first === undefined) return
    yield first
    const others = this.#others.get(key)
    if (others !== undefined) yield* others
  }
}
