/** One key whose desired and actual values differ; an absent value means "should not be there" or "is not there". */
export interface Delta<K, V> {
  readonly key: K
  readonly desired: V | undefined
  readonly actual: V | undefined
}

/**
 * What should be, what is, and the difference between them, kept as things change: every operation costs the same whether the table
 * has ten rows or a million, and `pending` costs in proportion to what differs.
 */
export class DeltaTracker<K, V> {
  readonly #same: (a: V, b: V) => boolean
  readonly #desired = new Map<K, V>()
  readonly #actual = new Map<K, V>()
  readonly #pending = new Set<K>()

  constructor(same: (a: V, b: V) => boolean) {
    this.#same = same
  }

  get desiredSize(): number {
    return this.#desired.size
  }

  get pendingSize(): number {
    return this.#pending.size
  }

  desired(key: K): V | undefined {
    return this.#desired.get(key)
  }

  actual(key: K): V | undefined {
    return this.#actual.get(key)
  }

  setDesired(key: K, value: V): void {
    this.#desired.set(key, value)
    this.#compare(key)
  }

  deleteDesired(key: K): void {
    this.#desired.delete(key)
    this.#compare(key)
  }

  setActual(key: K, value: V): void {
    this.#actual.set(key, value)
    this.#compare(key)
  }

  deleteActual(key: K): void {
    this.#actual.delete(key)
    this.#compare(key)
  }

  /** Replaces all that is known of the actual state by a complete dump. */
  replaceActual(dump: Iterable<readonly [K, V]>): void {
    const stale = new Set(this.#actual.keys())
    for (const [key, value] of dump) {
      stale.delete(key)
      this.setActual(key, value)
    }
    for (const key of stale) this.deleteActual(key)
  }

  /** The differences, in the order in which they arose. Must not be modified while iterating. */
  *pending(): Iterable<Delta<K, V>> {
    for (const key of this.#pending) yield { key, desired: this.#desired.get(key), actual: this.#actual.get(key) }
  }

  pendingKeys(): Iterable<K> {
    return this.#pending.keys()
  }

  isPending(key: K): boolean {
    return this.#pending.has(key)
  }

  #compare(key: K): void {
    const desired = this.#desired.get(key)
    const actual = this.#actual.get(key)
    const settled = desired === undefined || actual === undefined ? desired === actual : this.#same(desired, actual)
    if (settled) this.#pending.delete(key)
    else this.#pending.add(key)
  }
}
