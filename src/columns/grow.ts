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

/**
 * Room for number `at` as well: the same numbers in a longer array, when they do not reach so far. What is not used is paid for too, so
 * that it grows by a quarter only.
 */
export function withRoom<C extends Numbers>(column: C, at: number, make: (length: number) => C): C {
  if (at < column.length) return column
  const longer = make(Math.max(FIRST_LENGTH, at + 1, Math.ceil(column.length * 1.25)))
  // as octets: numbers of 64 bits and others have no `set` in common
  octetsIn(longer).set(octetsIn(column))
  return longer
}

const octetsIn = ({ buffer }: Numbers): Uint8Array => new Uint8Array(buffer)

export const octets = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(length)
export const halves = (length: number): Uint16Array<ArrayBuffer> => new Uint16Array(length)
export const words = (length: number): Int32Array<ArrayBuffer> => new Int32Array(length)
export const unsignedWords = (length: number): Uint32Array<ArrayBuffer> => new Uint32Array(length)
export const longs = (length: number): BigInt64Array<ArrayBuffer> => new BigInt64Array(length)

/** Spreads the bits of a number over 32 others: subnets and MACs differ in a few bits only (the finalizer of MurmurHash3). */
export function mixed(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}
