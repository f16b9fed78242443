declare const isMac: unique symbol

/** An Ethernet address in canonical text: six lower-case hexadecimal octets with colons. */
export type Mac = string & { readonly [isMac]: true }

const CANONICAL = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

const isCanonicalMac = (text: string): text is Mac => CANONICAL.test(text)

/** Reads six octets with colons or hyphens, in either case (what Go's `net.ParseMAC` takes of EUI-48); anything else is undefined. */
export function parseMac(text: string): Mac | undefined {
  if (isCanonicalMac(text)) return text
  const canonical = text.toLowerCase().replaceAll('-', ':')
  return isCanonicalMac(canonical) ? canonical : undefined
}

/** @throws {RangeError} naming the text that is no Ethernet address */
export function mac(text: string): Mac {
  const parsed = parseMac(text)
  if (parsed === undefined) throw new RangeError(`not an Ethernet address: ${JSON.stringify(text)}`)
  return parsed
}

const DIGITS = '0123456789abcdef'
/** Codes of the digits of an octet: octets are put together often enough (every fdb entry of a dump) to have them ready. */
const HIGH = Uint8Array.from({ length: 256 }, (_, octet) => DIGITS.charCodeAt(octet >> 4))
const LOW = Uint8Array.from({ length: 256 }, (_, octet) => DIGITS.charCodeAt(octet & 0xf))
const COLON = 0x3a

/** @throws {RangeError} when there are not exactly 6 octets, each of 0 to 255 */
export function macFromBytes(bytes: ArrayLike<number>): Mac {
  if (bytes.length !== 6) throw new RangeError(`an Ethernet address has 6 octets, not ${bytes.length}`)
  let all = 0
  for (let at = 0; at < 6; at++) all |= bytes[at] ?? 0
  if ((all & ~0xff) !== 0) throw new RangeError('an octet of an Ethernet address is 0 to 255')
  const low = ((bytes[2] ?? 0) << 24) | ((bytes[3] ?? 0) << 16) | ((bytes[4] ?? 0) << 8) | (bytes[5] ?? 0)
  return macFromParts(((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0), low)
}

const high = (word: number, shift: number): number => HIGH[(word >>> shift) & 0xff] ?? 0
const low = (word: number, shift: number): number => LOW[(word >>> shift) & 0xff] ?? 0

/** An Ethernet address of its first 16 bits and its last 32, as numbers: columns of addresses hold nothing else. */
// prettier-ignore
export const macFromParts = (first: number, last: number): Mac =>
  String.fromCharCode( // in one piece: joined of several it would take three times the memory
    high(first, 8), low(first, 8), COLON, high(first, 0), low(first, 0), COLON,
    high(last, 24), low(last, 24), COLON, high(last, 16), low(last, 16), COLON,
    high(last, 8), low(last, 8), COLON, high(last, 0), low(last, 0),
  ) as Mac

/** The first 16 bits. */
export const macHigh = (address: Mac): number => (octetAt(address, 0) << 8) | octetAt(address, 1)

/** The last 32 bits, as a signed integer. */
export const macLow = (address: Mac): number =>
  (octetAt(address, 2) << 24) | (octetAt(address, 3) << 16) | (octetAt(address, 4) << 8) | octetAt(address, 5)

/** Codes of lower-case digits alone: `0` has 0x30, `a` 0x61. */
const digitAt = (address: Mac, at: number): number => {
  const code = address.charCodeAt(at)
  return (code & 0xf) + (code > 0x39 ? 9 : 0)
}

const octetAt = (address: Mac, octet: number): number =>
  (digitAt(address, octet * 3) << 4) | digitAt(address, octet * 3 + 1)

export const macToBytes = (address: Mac): Uint8Array => Uint8Array.from({ length: 6 }, (_, at) => octetAt(address, at))

/** Group bit of the first octet clear and not all zero: an address one station can own (IEEE 802, 8.2). */
export function isUnicastMac(address: Mac): boolean {
  return (octetAt(address, 0) & 0x01) === 0 && address !== '00:00:00:00:00:00'
}

/** A locally administered unicast address out of six octets of entropy: group bit cleared, local bit set. */
export function locallyAdministeredMac(entropy: Uint8Array): Mac {
  const octets = entropy.slice(0, 6)
  octets[0] = ((octets[0] ?? 0) & 0xfe) | 0x02
  return macFromBytes(octets)
}
