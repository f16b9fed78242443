import type { Family } from '../../net/ip.ts'
import { REACHES, type Reach } from '../reach.ts'
import type { Row } from './row.ts'

const FIRST_SIZE = 64
/** Numbers below 256 that a row has. */
const SMALL = 7
const ANSWERED = 1
const NEXT_SMALL = 2

/**
 * Rows by number, in typed arrays: some forty octets each, where an object would take four times as much. Numbers of rows that were
 * removed are given again.
 */
export class Roster {
  readonly #free: number[] = []
  /** How many there are of each reach, in the order of {@link REACHES}, in each family. */
  readonly #counts: Readonly<Record<Family, number[]>> = { 4: REACHES.map(() => 0), 6: REACHES.map(() => 0) }
  #size = 0
  #used = 0
  /** Whether there is a row of this number: 1. */
  #isThere = new Uint8Array(FIRST_SIZE)
  /** Whether its family is IPv6: 1. */
  #isSix = new Uint8Array(FIRST_SIZE)
  #since = new Float64Array(FIRST_SIZE)
  #heard = new Float64Array(FIRST_SIZE)
  #rtt = new Float32Array(FIRST_SIZE)
  #missed = new Uint16Array(FIRST_SIZE)
  #passes = new Uint16Array(FIRST_SIZE)
  #small = new Uint8Array(FIRST_SIZE * SMALL)

  /** How many rows there are. */
  get size(): number {
    return this.#size
  }

  add(row: Row, family: Family): number {
    const slot = this.#free.pop() ?? this.#used++
    if (slot >= this.#isThere.length) this.#grow()
    this.#isThere[slot] = 1
    this.#isSix[slot] = family === 6 ? 1 : 0
    this.#size++
    this.#count(slot, REACHES.indexOf(row.reach), 1)
    this.#put(slot, row)
    return slot
  }

  remove(slot: number): void {
    this.#isThere[slot] = 0
    this.#count(slot, this.#small[slot * SMALL] ?? 0, -1)
    this.#free.push(slot)
    this.#size--
  }

  write(slot: number, row: Row): void {
    this.#count(slot, this.#small[slot * SMALL] ?? 0, -1)
    this.#count(slot, REACHES.indexOf(row.reach), 1)
    this.#put(slot, row)
  }

  /** How many rows are of this reach, in one family or in all. */
  count(reach: Reach, family?: Family): number {
    const at = REACHES.indexOf(reach)
    const [four, six] = [this.#counts[4][at] ?? 0, this.#counts[6][at] ?? 0]
    return family === 4 ? four : family === 6 ? six : four + six
  }

  #count(slot: number, at: number, more: 1 | -1): void {
    const counts = this.#counts[this.#isSix[slot] === 1 ? 6 : 4]
    counts[at] = (counts[at] ?? 0) + more
  }

  #put(slot: number, row: Row): void {
    this.#since[slot] = row.sinceMs
    this.#heard[slot] = row.heardMs
    this.#rtt[slot] = row.rttMs
    this.#missed[slot] = row.missed
    this.#passes[slot] = row.passes
    const flags = (row.hasAnswered ? ANSWERED : 0) | (row.next === 'small' ? NEXT_SMALL : 0)
    const { asked, fullMisses, smallMisses, hits, extra } = row
    this.#small.set([REACHES.indexOf(row.reach), asked, fullMisses, smallMisses, hits, extra, flags], slot * SMALL)
  }

  read(slot: number): Row {
    const small = (at: number): number => this.#small[slot * SMALL + at] ?? 0
    const flags = small(6)
    return {
      reach: this.reach(slot),
      sinceMs: this.#since[slot] ?? 0,
      next: (flags & NEXT_SMALL) === 0 ? 'full' : 'small',
      heardMs: this.#heard[slot] ?? Number.NaN,
      rttMs: this.#rtt[slot] ?? Number.NaN,
      missed: this.#missed[slot] ?? 0,
      asked: small(1),
      fullMisses: small(2),
      smallMisses: small(3),
      hits: small(4),
      extra: small(5),
      passes: this.#passes[slot] ?? 0,
      hasAnswered: (flags & ANSWERED) !== 0,
    }
  }

  reach(slot: number): Reach {
    return REACHES[this.#small[slot * SMALL] ?? 0] ?? 'unknown'
  }

  setHeard(slot: number, heardMs: number): void {
    this.#heard[slot] = heardMs
  }

  /** Numbers of all rows. */
  *slots(): Generator<number> {
    for (let slot = 0; slot < this.#used; slot++) if (this.#isThere[slot] === 1) yield slot
  }

  #grow(): void {
    const length = Math.ceil(this.#isThere.length * 1.25) // what is not used is paid for as well
    this.#isThere = grown(this.#isThere, new Uint8Array(length))
    this.#isSix = grown(this.#isSix, new Uint8Array(length))
    this.#since = grown(this.#since, new Float64Array(length))
    this.#heard = grown(this.#heard, new Float64Array(length))
    this.#rtt = grown(this.#rtt, new Float32Array(length))
    this.#missed = grown(this.#missed, new Uint16Array(length))
    this.#passes = grown(this.#passes, new Uint16Array(length))
    this.#small = grown(this.#small, new Uint8Array(length * SMALL))
  }
}

type Column = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

function grown<C extends Column>(from: C, to: C): C {
  to.set(from)
  return to
}
