declare const isMac: unique symbol

/** An Ethernet address in canonical text: six lower-case hexadecimal octets with colons. */
export type Mac = string & { readonly [isMac]: true }

const CANONICAL = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

const isCanonicalMac = (text: string): text is Mac => CANONICAL.test(text)

/** Reads six octets with colons or hyphens, in either case (what Go's `net.ParseMAC` takes of EUI-48); anything else is undefined. */
export function parseMac(text: string): Mac | undefined {
  const canonical = text.toLowerCase().replaceAll('-', ':')
  return isCanonicalMac(canonical) ? canonical : undefined
}

/** @throws {RangeError} naming the text that is no Ethernet address */
export function mac(text: string): Mac {
  const parsed = parseMac(text)
  if (parsed === undefined) throw new RangeError(`not an Ethernet address: ${JSON.stringify(text)}`)
  return parsed
}

/** `:0a` for 10: octets are put together often enough (every fdb entry of a dump) to have their text ready. */
const COLON_HEX = Array.from({ length: 256 }, (_, octet) => `:${octet.toString(16).padStart(2, '0')}`)

/** @throws {RangeError} when there are not exactly 6 octets */
export function macFromBytes(bytes: ArrayLike<number>): Mac {
  let text = ''
  for (let at = 0; at < bytes.length; at++) text += COLON_HEX[bytes[at] ?? 0] ?? ''
  const canonical = text.slice(1)
  if (!isCanonicalMac(canonical)) throw new RangeError(`an Ethernet address has 6 octets, not ${bytes.length}`)
  return canonical
}

export function macToBytes(address: Mac): Uint8Array {
  return Uint8Array.from(address.split(':'), (octet) => Number.parseInt(octet, 16))
}

/** Group bit of the first octet clear and not all zero: an address one station can own (IEEE 802, 8.2). */
export function isUnicastMac(address: Mac): boolean {
  const firstOctet = Number.parseInt(address.slice(0, 2), 16)
  return (firstOctet & 0x01) === 0 && address !== '00:00:00:00:00:00'
}

/** A locally administered unicast address out of six octets of entropy: group bit cleared, local bit set. */
export function locallyAdministeredMac(entropy: Uint8Array): Mac {
  const octets = entropy.slice(0, 6)
  octets[0] = ((octets[0] ?? 0) & 0xfe) | 0x02
  return macFromBytes(octets)
}
