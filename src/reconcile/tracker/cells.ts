/** Where a {@link DeltaTracker} keeps keys and one value beside each, by number. */
export interface Cells<K, V> {
  /** All numbers are below this one. */
  readonly end: number
  /** -1: there is no cell of this key. */
  find(key: K): number
  /** @returns the cell of this key, a new one if there was none */
  add(key: K): number
  /** The number is free for another key. */
  remove(cell: number): void
  key(cell: number): K
  /** What was written there last; nothing that was not. */
  read(cell: number): V
  write(cell: number, value: V): void
  /** Whether what is written there comes to the same as this. */
  isSame(cell: number, value: V): boolean
}

interface Held<K, V> {
  readonly key: K
  value: V | undefined
}

/** Keys and values of any kind, as objects. */
export class ObjectCells<K, V> implements Cells<K, V> {
  readonly #isSame: (a: V, b: V) => boolean
  readonly #numbers = new Map<K, number>()
  readonly #held: (Held<K, V> | undefined)[] = []
  readonly #free: number[] = []

  constructor(isSame: (a: V, b: V) => boolean) {
    this.#isSame = isSame
  }

  get end(): number {
    return this.#held.length
  }

  find(key: K): number {
    return this.#numbers.get(key) ?? -1
  }

  add(key: K): number {
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const cell = this.#free.pop() ?? this.#held.length
    this.#numbers.set(key, cell)
    this.#held[cell] = { key, value: undefined }
    return cell
  }

  remove(cell: number): void {
    this.#numbers.delete(this.key(cell))
    this.#held[cell] = undefined
    this.#free.push(cell)
  }

  key(cell: number): K {
    return this.#at(cell).key
  }

  read(cell: number): V {
    const { value } = this.#at(cell)
    if (value === undefined) throw new RangeError(`nothing is written in cell ${cell}`)
    return value
  }

  write(cell: number, value: V): void {
    this.#at(cell).value = value
  }

  isSame(cell: number, value: V): boolean {
    return this.#isSame(this.read(cell), value)
  }

  #at(cell: number): Held<K, V> {
    const held = this.#held[cell]
    if (held === undefined) throw new RangeError(`there is no cell ${cell}`)
    return held
  }
}
