import ipaddr from 'ipaddr.js'

/** Address family as the digit operators write: 4 or 6. A value to compute with, never a reason for a second code path. */
export type Family = 4 | 6

/** An IP address. Immutable; `text` is canonical (dotted quad, RFC 5952), so equal addresses have equal text. */
export interface Ip {
  readonly family: Family
  /** Octets in network byte order, 4 or 16. A plain array: there are tens of thousands, and typed arrays cost ten times as much. */
  readonly bytes: readonly number[]
  readonly text: string
}

/** Width of an address in bits: 32 or 128. */
export const addressBits = (family: Family): 32 | 128 => (family === 4 ? 32 : 128)

/** @throws {RangeError} when there are neither 4 nor 16 octets */
export function ipFromBytes(octets: ArrayLike<number>): Ip {
  if (octets.length === 4) return ipv4(octets[0] ?? 0, octets[1] ?? 0, octets[2] ?? 0, octets[3] ?? 0)
  const bytes = Array.from(octets)
  if (bytes.length !== 16) throw new RangeError(`an address has 4 or 16 octets, not ${bytes.length}`)
  return { family: 6, bytes, text: new ipaddr.IPv6(bytes).toString() }
}

const ipv4 = (a: number, b: number, c: number, d: number): Ip => ({
  family: 4,
  bytes: [a, b, c, d],
  text: `${a}.${b}.${c}.${d}`,
})

/** Decimal, 0 to 255, no leading zeros. */
const OCTET = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const DOTTED_QUAD = new RegExp(`^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`)

/** Reads a dotted quad (decimal, four parts, no leading zeros) or an IPv6 address without zone; anything else is undefined. */
export function parseIp(text: string): Ip | undefined {
  const quad = DOTTED_QUAD.exec(text)
  if (quad !== null)
    return { family: 4, bytes: [Number(quad[1]), Number(quad[2]), Number(quad[3]), Number(quad[4])], text }
  if (text.includes('%') || !text.includes(':') || !ipaddr.IPv6.isValid(text)) return undefined
  return ipFromBytes(ipaddr.IPv6.parse(text).toByteArray())
}

/** @throws {RangeError} naming the text that is no address */
export function ip(text: string): Ip {
  const parsed = parseIp(text)
  if (parsed === undefined) throw new RangeError(`not an IP address: ${JSON.stringify(text)}`)
  return parsed
}

export const sameIp = (a: Ip, b: Ip): boolean => a.text === b.text

/** The address as an unsigned integer, for subnet arithmetic. */
export function ipToInteger({ family, bytes }: Ip): bigint {
  if (family === 4) return BigInt(bytes.reduce((value, octet) => value * 256 + octet, 0))
  return bytes.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n)
}

/** @throws {RangeError} when `value` does not fit the family */
export function ipFromInteger(family: Family, value: bigint): Ip {
  const bits = addressBits(family)
  if (value < 0n || value >> BigInt(bits) !== 0n) throw new RangeError(`${value} is outside IPv${family}`)
  const shifts = Array.from({ length: bits / 8 }, (_, at) => BigInt(bits - 8 * (at + 1)))
  return ipFromBytes(shifts.map((shift) => Number((value >> shift) & 0xffn)))
}
