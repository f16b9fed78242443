import { withRoom, words } from '../../columns/grow.ts'

const NONE = -1

/**
 * Slots by hash: several of each may have one hash, and one slot several hashes. Hashes of a slot are put in and taken out at a cost that
 * does not depend on how many there are; a look costs in proportion to the slots that have the hash, and a few more.
 */
export class HashChains {
  /** By the last bits of a hash: the first of its places. */
  #heads = words(16).fill(NONE)
  #hash = words(0)
  #slot = words(0)
  /** Places of one chain, in both directions. */
  #next = words(0)
  #before = words(0)
  /** Places of one slot. */
  #sibling = words(0)
  /** The first place of each slot. */
  #ofSlot = words(0)
  /** Places that are free again, chained by #next. */
  #free = NONE
  /** Places that were ever in use. */
  #used = 0

  add(slot: number, hash: number): void {
    const place = this.#takePlace()
    const slots = this.#ofSlot.length
    this.#ofSlot = withRoom(this.#ofSlot, slot, words)
    if (slot >= slots) this.#ofSlot.fill(NONE, slots)
    this.#hash[place] = hash | 0
    this.#slot[place] = slot
    this.#sibling[place] = this.#ofSlot[slot] ?? NONE
    this.#ofSlot[slot] = place
    this.#link(place)
  }

  /** Takes out all hashes of a slot. */
  delete(slot: number): void {
    let place = this.#ofSlot[slot] ?? NONE
    while (place !== NONE) {
      this.#unlink(place)
      const sibling = this.#sibling[place] ?? NONE
      this.#next[place] = this.#free
      this.#free = place
      place = sibling
    }
    if (slot < this.#ofSlot.length) this.#ofSlot[slot] = NONE
  }

  /** Whether some slot that has the hash is what is looked for; it is not looked further then. */
  some(hash: number, isIt: (slot: number) => boolean): boolean {
    const wanted = hash | 0
    for (let place = this.#heads[this.#bucket(wanted)] ?? NONE; place !== NONE; place = this.#next[place] ?? NONE)
      if (this.#hash[place] === wanted && isIt(this.#slot[place] ?? NONE)) return true
    return false
  }

  #bucket(hash: number): number {
    return hash & (this.#heads.length - 1)
  }

  #takePlace(): number {
    const free = this.#free
    if (free !== NONE) {
      this.#free = this.#next[free] ?? NONE
      return free
    }
    const place = this.#used++
    if (place >= this.#heads.length) this.#spread(this.#heads.length * 2)
    this.#hash = withRoom(this.#hash, place, words)
    this.#slot = withRoom(this.#slot, place, words)
    this.#next = withRoom(this.#next, place, words)
    this.#before = withRoom(this.#before, place, words)
    this.#sibling = withRoom(this.#sibling, place, words)
    return place
  }

  #link(place: number): void {
    const bucket = this.#bucket(this.#hash[place] ?? 0)
    const first = this.#heads[bucket] ?? NONE
    this.#next[place] = first
    this.#before[place] = NONE
    if (first !== NONE) this.#before[first] = place
    this.#heads[bucket] = place
  }

  #unlink(place: number): void {
    const [before, next] = [this.#before[place] ?? NONE, this.#next[place] ?? NONE]
    if (before === NONE) this.#heads[this.#bucket(this.#hash[place] ?? 0)] = next
    else this.#next[before] = next
    if (next !== NONE) this.#before[next] = before
  }

  /** Chains stay short. None of the places in use is free: there would be no need for another. */
  #spread(buckets: number): void {
    this.#heads = words(buckets).fill(NONE)
    for (let place = 0; place < this.#hash.length && place < this.#used - 1; place++) this.#link(place)
  }
}
