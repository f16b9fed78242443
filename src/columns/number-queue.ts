import { withRoom, words } from './grow.ts'

/** Entries that are gone are passed over until there are more of them than of the others, and at least so many. */
const FEW = 64

/**
 * A set of numbers from 0 on in the order in which they were added. One that is there keeps its place. A Set of a hundred thousand takes five
 * times the memory while it is full, and the time for it. What is iterated over must not change meanwhile.
 */
export class NumberQueue {
  /** In order; a number that is gone, or stands further behind, counts no more. */
  #order = words(0)
  #end = 0
  /** By number, its place in the order plus one; 0: it is not there. */
  #places = words(0)
  #size = 0

  get size(): number {
    return this.#size
  }

  has(number: number): boolean {
    return (this.#places[number] ?? 0) > 0
  }

  add(number: number): void {
    if (this.has(number)) return
    this.#order = withRoom(this.#order, this.#end, words)
    this.#places = withRoom(this.#places, number, words)
    this.#order[this.#end++] = number
    this.#places[number] = this.#end
    this.#size++
  }

  delete(number: number): void {
    if (!this.has(number)) return
    this.#places[number] = 0
    this.#size--
    if (this.#end > this.#size * 2 + FEW) this.#closeUp()
  }

  *[Symbol.iterator](): Generator<number, void, undefined> {
    for (let at = 0; at < this.#end; at++) {
      const number = this.#order[at] ?? 0
      if (this.#places[number] === at + 1) yield number
    }
  }

  #closeUp(): void {
    let end = 0
    for (let at = 0; at < this.#end; at++) {
      const number = this.#order[at] ?? 0
      if (this.#places[number] !== at + 1) continue
      this.#order[end++] = number
      this.#places[number] = end
    }
    this.#end = end
    if (end === 0) this.#order = words(0) // once there were many, as in a start
  }
}
