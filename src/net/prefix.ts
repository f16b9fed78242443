import { addressBits, ipFromInteger, ipToInteger, parseIp, type Family, type Ip } from './ip.ts'

/** A network: base address and prefix length in bits. Immutable; host bits are always zero, `text` is canonical CIDR. */
export interface Prefix {
  readonly family: Family
  readonly base: Ip
  readonly length: number
  readonly text: string
}

const hostBits = (family: Family, length: number): bigint => BigInt(addressBits(family) - length)

/** @throws {RangeError} when `length` is not within 0 … 32 (128) */
export function prefixOf(address: Ip, length: number): Prefix {
  const { family } = address
  if (!Number.isInteger(length) || length < 0 || length > addressBits(family))
    throw new RangeError(`prefix length ${length} is not within 0..${addressBits(family)}`)
  const shift = hostBits(family, length)
  const base = ipFromInteger(family, (ipToInteger(address) >> shift) << shift)
  return { family, base, length, text: `${base.text}/${length}` }
}

/** Reads `address/length`; host bits are cleared as Go's `net.ParseCIDR` does. Anything else is undefined. */
export function parsePrefix(text: string): Prefix | undefined {
  const [addressText = '', lengthText = '', ...rest] = text.split('/')
  const address = parseIp(addressText)
  if (address === undefined || rest.length > 0 || !/^\d{1,3}$/.test(lengthText)) return undefined
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

export function prefixContains(network: Prefix, address: Ip): boolean {
  if (network.family !== address.family) return false
  const shift = hostBits(network.family, network.length)
  return ipToInteger(network.base) >> shift === ipToInteger(address) >> shift
}

/** Whether every address of `inner` lies in `outer`. */
export const prefixCovers = (outer: Prefix, inner: Prefix): boolean =>
  outer.length <= inner.length && prefixContains(outer, inner.base)

export const prefixesOverlap = (a: Prefix, b: Prefix): boolean => prefixCovers(a, b) || prefixCovers(b, a)

/** How many subnets of `length` bits precede `subnet` in `network`: 0 for the first. */
export function subnetIndex(network: Prefix, subnet: Prefix): bigint {
  return (ipToInteger(subnet.base) - ipToInteger(network.base)) >> hostBits(subnet.family, subnet.length)
}

/** The inverse of {@link subnetIndex}: subnet number `index` of `length` bits in `network`. */
export function subnetAt(network: Prefix, length: number, index: bigint): Prefix {
  const offset = index << hostBits(network.family, length)
  return prefixOf(ipFromInteger(network.family, ipToInteger(network.base) + offset), length)
}

/** How many subnets of `length` bits `network` holds. */
export const subnetCount = (network: Prefix, length: number): bigint => 1n << BigInt(length - network.length)

/** Address number `offset` of the network: 0 is the base, 1 the first usable one. */
export const addressAt = (network: Prefix, offset: bigint): Ip =>
  ipFromInteger(network.family, ipToInteger(network.base) + offset)
