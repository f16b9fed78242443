import ipaddr from 'ipaddr.js'

/** Address family as the digit operators write: 4 or 6. A value to compute with, never a reason for a second code path. */
export type Family = 4 | 6

/**
 * An IP address, kept as the numbers that it is: there are tens of thousands, and most are compared and sent without being written out.
 * Immutable.
 */
export interface Ip {
  readonly family: Family
  /** The first 32 bits in network byte order, as a signed integer, which engines keep without a box; of IPv4, all there are. */
  readonly word0: number
  /** The further 32 bits each of IPv6; 0 of IPv4. */
  readonly word1: number
  readonly word2: number
  readonly word3: number
  /** Octets in network byte order, 4 or 16. Made when asked for. */
  readonly bytes: readonly number[]
  /** Canonical (dotted quad, RFC 5952), so that equal addresses have equal text. Made when first asked for. */
  readonly text: string
}

class Ip4 implements Ip {
  readonly word0: number
  #text: string | undefined

  constructor(word: number) {
    this.word0 = word
  }

  get family(): 4 {
    return 4
  }

  get word1(): 0 {
    return 0
  }

  get word2(): 0 {
    return 0
  }

  get word3(): 0 {
    return 0
  }

  get bytes(): readonly number[] {
    return octetsOf(this.word0)
  }

  get text(): string {
    const word = this.word0
    return (this.#text ??= `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`)
  }
}

class Ip6 implements Ip {
  readonly word0: number
  readonly word1: number
  readonly word2: number
  readonly word3: number
  #text: string | undefined

  constructor(word0: number, word1: number, word2: number, word3: number) {
    this.word0 = word0
    this.word1 = word1
    this.word2 = word2
    this.word3 = word3
  }

  get family(): 6 {
    return 6
  }

  get bytes(): readonly number[] {
    return [this.word0, this.word1, this.word2, this.word3].flatMap(octetsOf)
  }

  get text(): string {
    return (this.#text ??= new ipaddr.IPv6([...this.bytes]).toString())
  }
}

const octetsOf = (word: number): number[] => [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff]

/** Width of an address in bits: 32 or 128. */
export const addressBits = (family: Family): 32 | 128 => (family === 4 ? 32 : 128)

/** @param words of 32 bits in network byte order, signed or not: one of IPv4, four of IPv6 */
export function ipFromWords(family: Family, word0: number, word1 = 0, word2 = 0, word3 = 0): Ip {
  return family === 4 ? new Ip4(word0 | 0) : new Ip6(word0 | 0, word1 | 0, word2 | 0, word3 | 0)
}

/** @throws {RangeError} when there are neither 4 nor 16 octets */
export function ipFromBytes(octets: ArrayLike<number>): Ip {
  if (octets.length === 4) return new Ip4(wordAt(octets, 0))
  if (octets.length !== 16) throw new RangeError(`an address has 4 or 16 octets, not ${octets.length}`)
  return new Ip6(wordAt(octets, 0), wordAt(octets, 4), wordAt(octets, 8), wordAt(octets, 12))
}

const wordAt = (octets: ArrayLike<number>, at: number): number =>
  ((octets[at] ?? 0) << 24) | ((octets[at + 1] ?? 0) << 16) | ((octets[at + 2] ?? 0) << 8) | (octets[at + 3] ?? 0)

/** Reads a dotted quad (decimal, four parts, no leading zeros) or an IPv6 address without zone; anything else is undefined. */
export function parseIp(text: string): Ip | undefined {
  const quad = dottedQuad(text)
  if (quad !== undefined) return new Ip4(quad)
  if (text.includes('%') || !text.includes(':') || !ipaddr.IPv6.isValid(text)) return undefined
  return ipFromBytes(ipaddr.IPv6.parse(text).toByteArray())
}

const DOT = 0x2e
const ZERO = 0x30
/** `255.255.255.255` */
const LONGEST_QUAD = 15

/** The 32 bits as a signed integer; undefined: it is no dotted quad. */
function dottedQuad(text: string): number | undefined {
  if (text.length > LONGEST_QUAD) return undefined
  let [word, octet, digits, dots] = [0, 0, 0, 0]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === DOT) {
      if (digits === 0 || dots === 3) return undefined
      word = (word << 8) | octet
      dots++
      octet = 0
      digits = 0
      continue
    }
    const digit = code - ZERO
    if (digit < 0 || digit > 9 || (digits > 0 && octet === 0)) return undefined // 010 is no number of ours
    octet = octet * 10 + digit
    digits++
    if (octet > 0xff) return undefined
  }
  return dots === 3 && digits > 0 ? (word << 8) | octet : undefined
}

/** @throws {RangeError} naming the text that is no address */
export function ip(text: string): Ip {
  const parsed = parseIp(text)
  if (parsed === undefined) throw new RangeError(`not an IP address: ${JSON.stringify(text)}`)
  return parsed
}

export const sameIp = (a: Ip, b: Ip): boolean =>
  a.word0 === b.word0 && a.family === b.family && a.word3 === b.word3 && a.word2 === b.word2 && a.word1 === b.word1

/** The address as an unsigned integer, for subnet arithmetic. */
export function ipToInteger({ family, word0, word1, word2, word3 }: Ip): bigint {
  const first = BigInt(word0 >>> 0)
  if (family === 4) return first
  return [word1, word2, word3].reduce((value, word) => (value << 32n) | BigInt(word >>> 0), first)
}

/** @throws {RangeError} when `value` does not fit the family */
export function ipFromInteger(family: Family, value: bigint): Ip {
  const bits = addressBits(family)
  if (value < 0n || value >> BigInt(bits) !== 0n) throw new RangeError(`${value} is outside IPv${family}`)
  const wordOf = (shift: bigint): number => Number((value >> shift) & 0xffff_ffffn) | 0
  return family === 4 ? new Ip4(wordOf(0n)) : new Ip6(wordOf(96n), wordOf(64n), wordOf(32n), wordOf(0n))
}
