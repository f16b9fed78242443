import { addressBits, ipFromInteger, ipFromWords, ipToInteger, parseIp, type Family, type Ip } from './ip.ts'

/** A network: base address and prefix length in bits. Immutable; host bits are always zero. */
export interface Prefix {
  readonly family: Family
  readonly base: Ip
  readonly length: number
  /** Canonical CIDR. Made when first asked for. */
  readonly text: string
}

class Network implements Prefix {
  readonly base: Ip
  readonly length: number
  #text: string | undefined

  constructor(base: Ip, length: number) {
    this.base = base
    this.length = length
  }

  get family(): Family {
    return this.base.family
  }

  get text(): string {
    return (this.#text ??= `${this.base.text}/${this.length}`)
  }
}

const hostBits = (family: Family, length: number): bigint => BigInt(addressBits(family) - length)

/** Bits of a prefix of `length` bits in the address' 32 bits number `at`. */
const maskWord = (length: number, at: number): number => {
  const bits = length - 32 * at
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits)
}

/** @throws {RangeError} when `length` is not within 0 … 32 (128) */
export function prefixOf(address: Ip, length: number): Prefix {
  const { family, word0, word1, word2, word3 } = address
  if (!Number.isInteger(length) || length < 0 || length > addressBits(family))
    throw new RangeError(`prefix length ${length} is not within 0..${addressBits(family)}`)
  const first = word0 & maskWord(length, 0)
  if (family === 4) return new Network(first === word0 ? address : ipFromWords(4, first), length)
  const [second, third, last] = [word1 & maskWord(length, 1), word2 & maskWord(length, 2), word3 & maskWord(length, 3)]
  const isBase = first === word0 && second === word1 && third === word2 && last === word3
  return new Network(isBase ? address : ipFromWords(6, first, second, third, last), length)
}

/** Reads `address/length`; host bits are cleared as Go's `net.ParseCIDR` does. Anything else is undefined. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  return slash < 0 ? undefined : parsePrefixParts(text.slice(0, slash), text.slice(slash + 1))
}

/** As {@link parsePrefix}, with the address and the decimal length apart. */
export function parsePrefixParts(addressText: string, lengthText: string): Prefix | undefined {
  const address = parseIp(addressText)
  if (address === undefined || !/^\d{1,3}$/.test(lengthText)) return undefined
  const length = Number(lengthText)
  return length > addressBits(address.family) ? undefined : prefixOf(address, length)
}

/** @throws {RangeError} naming the text that is no network */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new RangeError(`not a network in CIDR form: ${JSON.stringify(text)}`)
  return parsed
}

/** One host: /32 or /128. */
export const hostPrefix = (address: Ip): Prefix => prefixOf(address, addressBits(address.family))

export const prefixContains = (network: Prefix, address: Ip): boolean =>
  network.family === address.family && firstBitsAgree(network.base, address, network.length)

function firstBitsAgree(a: Ip, b: Ip, length: number): boolean {
  if (((a.word0 ^ b.word0) & maskWord(length, 0)) !== 0) return false
  return (
    length <= 32 ||
    (((a.word1 ^ b.word1) & maskWord(length, 1)) |
      ((a.word2 ^ b.word2) & maskWord(length, 2)) |
      ((a.word3 ^ b.word3) & maskWord(length, 3))) ===
      0
  )
}

/** Whether every address of `inner` lies in `outer`. */
export const prefixCovers = (outer: Prefix, inner: Prefix): boolean =>
  outer.length <= inner.length && prefixContains(outer, inner.base)

export const prefixesOverlap = (a: Prefix, b: Prefix): boolean => prefixCovers(a, b) || prefixCovers(b, a)

/** How many subnets of `length` bits precede `subnet` in `network`: 0 for the first. */
export function subnetIndex(network: Prefix, subnet: Prefix): bigint {
  if (subnet.family === 4 && subnet.length > 0)
    // without big integers: once for every peer
    return BigInt(((subnet.base.word0 - network.base.word0) >>> 0) >>> (32 - subnet.length))
  return (ipToInteger(subnet.base) - ipToInteger(network.base)) >> hostBits(subnet.family, subnet.length)
}

/** The inverse of {@link subnetIndex}: subnet number `index` of `length` bits in `network`. */
export function subnetAt(network: Prefix, length: number, index: bigint): Prefix {
  if (network.family === 4 && length > 0)
    // without big integers: once for every subnet that is tried
    return prefixOf(ipFromWords(4, network.base.word0 + (Number(index) << (32 - length))), length)
  const offset = index << hostBits(network.family, length)
  return prefixOf(ipFromInteger(network.family, ipToInteger(network.base) + offset), length)
}

/** How many subnets of `length` bits `network` holds. */
export const subnetCount = (network: Prefix, length: number): bigint => 1n << BigInt(length - network.length)

/** Address number `offset` of the network: 0 is the base, 1 the first usable one. */
export const addressAt = (network: Prefix, offset: bigint): Ip =>
  ipFromInteger(network.family, ipToInteger(network.base) + offset)

/** Networks no other host can have an address in: this network, loopback, multicast, limited broadcast (RFC 6890), and their like. */
const NOT_ANOTHER_HOST = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/128',
  '::1/128',
  'ff00::/8',
]

let notAnotherHost: readonly Prefix[] | undefined

/**
 * Whether another host can answer at this address. Documentation, benchmarking and class E addresses count: the kernel routes them
 * like any other, and laboratories and clouds do use them.
 */
export const isReachableUnicast = (address: Ip): boolean =>
  !(notAnotherHost ??= NOT_ANOTHER_HOST.map(prefix)).some((network) => prefixContains(network, address))

/** A longer subnet has no address for a container besides the gateway's, by family. */
export const LONGEST_SUBNETS = { 4: 30, 6: 126 } as const
