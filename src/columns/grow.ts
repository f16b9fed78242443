/** What a column holds: numbers of one width. */
export type Numbers =
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>

/** Numbers that a column begins with. */
export const FIRST_LENGTH = 64

/** How a column of one width is made: empty, of so many numbers, or of octets that are there. */
export type MakeColumn<C extends Numbers> = (of: number | ArrayBuffer) => C

/**
 * Room for number `at` as well: the same numbers in a longer array, when they do not reach so far; the one that was handed in is empty then.
 * What is not used is paid for too, so that it grows by a quarter only.
 */
export function withRoom<C extends Numbers>(column: C, at: number, make: MakeColumn<C>): C {
  if (at < column.length) return column
  const length = Math.max(FIRST_LENGTH, at + 1, Math.ceil(column.length * 1.25))
  return make(moved(column.buffer, length * column.BYTES_PER_ELEMENT))
}

declare global {
  interface ArrayBuffer {
    /** Since Node 22. */
    readonly transfer?: (length: number) => ArrayBuffer
  }
}

/**
 * The same octets with more room behind them. What held them before is given back at once: left to the collector, all lengths that
 * columns had on their way would be there together, four times what they come to.
 */
const moved = (octets: ArrayBuffer, length: number): ArrayBuffer => octets.transfer?.(length) ?? copied(octets, length)

function copied(octets: ArrayBuffer, length: number): ArrayBuffer {
  const longer = new ArrayBuffer(length)
  new Uint8Array(longer).set(new Uint8Array(octets))
  return longer
}

const room = (of: number | ArrayBuffer, width: number): ArrayBuffer =>
  typeof of === 'number' ? new ArrayBuffer(of * width) : of

export const octets = (of: number | ArrayBuffer): Uint8Array<ArrayBuffer> => new Uint8Array(room(of, 1))
export const halves = (of: number | ArrayBuffer): Uint16Array<ArrayBuffer> => new Uint16Array(room(of, 2))
export const words = (of: number | ArrayBuffer): Int32Array<ArrayBuffer> => new Int32Array(room(of, 4))
export const unsignedWords = (of: number | ArrayBuffer): Uint32Array<ArrayBuffer> => new Uint32Array(room(of, 4))
export const longs = (of: number | ArrayBuffer): BigInt64Array<ArrayBuffer> => new BigInt64Array(room(of, 8))

/** Spreads the bits of a number over 32 others: subnets and MACs differ in a few bits only (the finalizer of MurmurHash3). */
export function mixed(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}
