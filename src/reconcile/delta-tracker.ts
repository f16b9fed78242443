/** One key whose desired and actual values differ; an absent value means "should not be there" or "is not there". */
export interface Delta<K, V> {
  readonly key: K
  readonly desired: V | undefined
  /** Who wants it so, as given with the desired value. */
  readonly owner: string | undefined
  readonly actual: V | undefined
}

/**
 * What should be, what is, and the difference between them, kept as things change: every operation costs the same whether the table
 * has ten rows or a million, and `pending` costs in proportion to what differs.
 */
export class DeltaTracker<K, V> {
  readonly #same: (a: V, b: V) => boolean
  /** One cell per key that has a desired or an actual value. */
  readonly #cells = new Map<K, Cell<K, V>>()
  readonly #pending = new Set<Cell<K, V>>()
  #desiredSize = 0

  constructor(same: (a: V, b: V) => boolean) {
    this.#same = same
  }

  get desiredSize(): number {
    return this.#desiredSize
  }

  get pendingSize(): number {
    return this.#pending.size
  }

  desired(key: K): V | undefined {
    return this.#cells.get(key)?.desired
  }

  actual(key: K): V | undefined {
    return this.#cells.get(key)?.actual
  }

  /** All actual values. */
  *actuals(): Generator<V> {
    for (const { actual } of this.#cells.values()) if (actual !== undefined) yield actual
  }

  owner(key: K): string | undefined {
    return this.#cells.get(key)?.owner
  }

  setDesired(key: K, value: V, owner?: string): void {
    const cell = this.#cell(key)
    if (cell.desired === undefined) this.#desiredSize++
    cell.desired = value
    cell.owner = owner
    this.#compare(cell)
  }

  deleteDesired(key: K): void {
    const cell = this.#cells.get(key)
    if (cell?.desired === undefined) return
    this.#desiredSize--
    cell.desired = undefined
    cell.owner = undefined
    this.#compare(cell)
  }

  setActual(key: K, value: V): void {
    const cell = this.#cell(key)
    cell.actual = value
    this.#compare(cell)
  }

  deleteActual(key: K): void {
    const cell = this.#cells.get(key)
    if (cell?.actual === undefined) return
    cell.actual = undefined
    this.#compare(cell)
  }

  /**
   * Replaces all that is known of the actual state by a complete dump, in which the first value of a key counts.
   * @returns the keys whose desired value was there before, and no longer is
   */
  replaceActual(dump: Iterable<readonly [K, V]>): readonly K[] {
    const broken: K[] = []
    const seen = new Set<Cell<K, V>>()
    for (const [key, value] of dump) {
      const cell = this.#cell(key)
      if (seen.has(cell)) continue
      seen.add(cell)
      if (this.#setActual(cell, value)) broken.push(key)
    }
    for (const cell of this.#cells.values())
      if (cell.actual !== undefined && !seen.has(cell) && this.#setActual(cell, undefined)) broken.push(cell.key)
    return broken
  }

  /** @returns whether that breaks what was as desired */
  #setActual(cell: Cell<K, V>, value: V | undefined): boolean {
    const wasSettled = cell.desired !== undefined && !this.#pending.has(cell)
    cell.actual = value
    this.#compare(cell)
    return wasSettled && this.#pending.has(cell)
  }

  /** The differences, in the order in which they arose. Must not be modified while iterating. */
  pending(): Iterable<Delta<K, V>> {
    return this.#pending
  }

  isPending(key: K): boolean {
    const cell = this.#cells.get(key)
    return cell !== undefined && this.#pending.has(cell)
  }

  #cell(key: K): Cell<K, V> {
    const known = this.#cells.get(key)
    if (known !== undefined) return known
    const cell = { key, desired: undefined, owner: undefined, actual: undefined }
    this.#cells.set(key, cell)
    return cell
  }

  #compare(cell: Cell<K, V>): void {
    const { desired, actual } = cell
    const settled = desired === undefined || actual === undefined ? desired === actual : this.#same(desired, actual)
    if (!settled) this.#pending.add(cell)
    else {
      this.#pending.delete(cell)
      if (desired === undefined) this.#cells.delete(cell.key)
    }
  }
}

interface Cell<K, V> {
  readonly key: K
  desired: V | undefined
  owner: string | undefined
  actual: V | undefined
}
