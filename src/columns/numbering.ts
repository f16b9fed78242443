import { words } from './grow.ts'

/** Keys by number, wherever they are kept. */
export interface KeyColumn<K> {
  hash(key: K): number
  hashAt(at: number): number
  isAt(at: number, key: K): boolean
  set(at: number, key: K): void
}

/** Slots of the table at first; always a power of two. */
const FIRST_SLOTS = 64

/**
 * Gives keys numbers from 0 on, and finds them: a hash table of numbers alone (open addressing, linear probing), some six octets a key,
 * where a Map takes forty beside the key. Numbers of keys that are gone are given again.
 */
export class Numbering<K> {
  readonly #keys: KeyColumn<K>
  /** A number plus one in each; 0: it is empty. */
  #slots = words(FIRST_SLOTS)
  readonly #free: number[] = []
  #size = 0
  #used = 0

  constructor(keys: KeyColumn<K>) {
    this.#keys = keys
  }

  /** How many keys there are. */
  get size(): number {
    return this.#size
  }

  /** All numbers are below this one. */
  get end(): number {
    return this.#used
  }

  /** -1: there is no such key. */
  find(key: K): number {
    return (this.#slots[this.#slotOf(key)] ?? 0) - 1
  }

  /** @returns the number that the key has, or now has */
  add(key: K): number {
    if (this.#size * 4 >= this.#slots.length * 3) this.#grow()
    const slot = this.#slotOf(key)
    const known = this.#slots[slot] ?? 0
    if (known > 0) return known - 1
    const at = this.#free.pop() ?? this.#used++
    this.#keys.set(at, key)
    this.#slots[slot] = at + 1
    this.#size++
    return at
  }

  /** The number is free from now on. Its key has to be as it was added. */
  remove(at: number): void {
    const slot = this.#slotHolding(at)
    if (slot === undefined) return
    this.#size--
    this.#free.push(at)
    this.#close(slot)
  }

  /** Where the key is, or would be. */
  #slotOf(key: K): number {
    const mask = this.#slots.length - 1
    let slot = this.#keys.hash(key) & mask
    for (;;) {
      const held = this.#slots[slot] ?? 0
      if (held === 0 || this.#keys.isAt(held - 1, key)) return slot
      slot = (slot + 1) & mask
    }
  }

  #slotHolding(at: number): number | undefined {
    const mask = this.#slots.length - 1
    for (let slot = this.#keys.hashAt(at) & mask; ; slot = (slot + 1) & mask) {
      const held = this.#slots[slot] ?? 0
      if (held === 0) return undefined
      if (held === at + 1) return slot
    }
  }

  /** Empties a slot, and moves up what stands behind it only because it was taken (Knuth, vol. 3, 6.4, algorithm R). */
  #close(empty: number): void {
    const mask = this.#slots.length - 1
    let hole = empty
    for (let slot = (hole + 1) & mask; ; slot = (slot + 1) & mask) {
      const held = this.#slots[slot] ?? 0
      if (held === 0) break
      const home = this.#keys.hashAt(held - 1) & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      this.#slots[hole] = held
      hole = slot
    }
    this.#slots[hole] = 0
  }

  #grow(): void {
    const before = this.#slots
    const mask = before.length * 2 - 1
    this.#slots = words(mask + 1)
    for (const held of before) {
      if (held === 0) continue
      let slot = this.#keys.hashAt(held - 1) & mask
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
      this.#slots[slot] = held
    }
  }
}
