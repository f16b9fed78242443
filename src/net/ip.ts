import ipaddr from 'ipaddr.js'

/** Address family as the digit operators write: 4 or 6. A value to compute with, never a reason for a second code path. */
export type Family = 4 | 6

/** An IP address. Immutable; `text` is canonical (dotted quad, RFC 5952), so equal addresses have equal text. */
export interface Ip {
  readonly family: Family
  /** Network byte order, 4 or 16 octets. */
  readonly bytes: Uint8Array
  readonly text: string
}

/** Width of an address in bits: 32 or 128. */
export const addressBits = (family: Family): 32 | 128 => (family === 4 ? 32 : 128)

/** @throws {RangeError} when `bytes` is neither 4 nor 16 octets long */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length === 4) return { family: 4, bytes, text: bytes.join('.') }
  if (bytes.length !== 16) throw new RangeError(`an address has 4 or 16 octets, not ${bytes.length}`)
  return { family: 6, bytes, text: new ipaddr.IPv6([...bytes]).toString() }
}

/** Reads a dotted quad (decimal, four parts, no leading zeros) or an IPv6 address without zone; anything else is undefined. */
export function parseIp(text: string): Ip | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
    const canonical = Uint8Array.from(text.split('.'), Number)
    return canonical.join('.') === text ? ipFromBytes(canonical) : undefined
  }
  if (text.includes('%') || !text.includes(':') || !ipaddr.IPv6.isValid(text)) return undefined
  return ipFromBytes(Uint8Array.from(ipaddr.IPv6.parse(text).toByteArray()))
}

/** @throws {RangeError} naming the text that is no address */
export function ip(text: string): Ip {
  const parsed = parseIp(text)
  if (parsed === undefined) throw new RangeError(`not an IP address: ${JSON.stringify(text)}`)
  return parsed
}

export const sameIp = (a: Ip, b: Ip): boolean => a.text === b.text

/** The address as an unsigned integer, for subnet arithmetic. */
export function ipToInteger(address: Ip): bigint {
  return address.bytes.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n)
}

/** @throws {RangeError} when `value` does not fit the family */
export function ipFromInteger(family: Family, value: bigint): Ip {
  const bits = addressBits(family)
  if (value < 0n || value >> BigInt(bits) !== 0n) throw new RangeError(`${value} is outside IPv${family}`)
  const bytes = new Uint8Array(bits / 8)
  for (let at = bytes.length - 1, rest = value; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn)
  return ipFromBytes(bytes)
}

/**
 * What an address is for, by the IANA registries (RFC 6890): `unicast`, `private`, `loopback`, `multicast`, `unspecified`,
 * `broadcast`, `linkLocal`, `reserved` …
 */
export function addressRange(address: Ip): string {
  return ipaddr.fromByteArray([...address.bytes]).range()
}

/**
 * Ranges that can never be the far end of a tunnel. Not `reserved`: the kernel routes documentation, benchmarking and class E
 * addresses like any other, and laboratories and clouds do use them.
 */
const UNROUTABLE: ReadonlySet<string> = new Set(['unspecified', 'broadcast', 'multicast', 'loopback'])

/** Whether another host can answer at this address (it is unicast and not this host's own loopback). */
export const isReachableUnicast = (address: Ip): boolean => !UNROUTABLE.has(addressRange(address))
