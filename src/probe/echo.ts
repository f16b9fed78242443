import type { Family } from '../net/ip.ts'

/** ICMP echo as bytes (RFC 792, RFC 4443 §4): questions with a nonce of ours, which only who has seen the question can answer. */

/** Types of echo request and reply. */
const REQUEST: Readonly<Record<Family, number>> = { 4: 8, 6: 128 }
const REPLY: Readonly<Record<Family, number>> = { 4: 0, 6: 129 }

/** Octets of the header: type, code, checksum, identifier, sequence number. */
export const ECHO_HEADER = 8
/** Octets of the IP header in front, without options: RFC 791 §3.1, RFC 8200 §3. */
export const IP_HEADER: Readonly<Record<Family, number>> = { 4: 20, 6: 40 }

/** Begins what agents send: by it they know each other's questions from those of other programs. `flan`. */
export const MAGIC = 0x66_6c_61_6e
/** Of the nonce, in octets. */
export const NONCE_LENGTH = 8
const NONCE_AT = ECHO_HEADER + 4
/** Shortest IP packet that holds a question, in octets. */
export const shortest = (family: Family): number => IP_HEADER[family] + NONCE_AT + NONCE_LENGTH

/** What is the same of a question and its answer. */
export interface Echo {
  readonly identifier: number
  readonly sequence: number
  /** {@link NONCE_LENGTH} octets; nobody can guess them. */
  readonly nonce: Uint8Array
}

export interface EchoMessage extends Echo {
  readonly kind: 'request' | 'reply'
}

/**
 * A question, without its IP header.
 * @param packetLength of the whole IP packet, in octets, which is filled with zeros
 */
export function encodeEcho(family: Family, echo: Echo, packetLength: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(packetLength, shortest(family)) - IP_HEADER[family])
  writeEcho(family, echo, new DataView(bytes.buffer), bytes)
  return bytes
}

/** Writes the beginning of a question, up to which `bytes` may hold another one; zeros follow. @param view of the same octets */
export function writeEcho(
  family: Family,
  { identifier, sequence, nonce }: Echo,
  view: DataView,
  bytes: Uint8Array,
): void {
  view.setUint8(0, REQUEST[family])
  view.setUint16(4, identifier)
  view.setUint16(6, sequence)
  view.setUint32(ECHO_HEADER, MAGIC)
  bytes.set(nonce.length === NONCE_LENGTH ? nonce : nonce.subarray(0, NONCE_LENGTH), NONCE_AT)
  view.setUint16(2, 0)
  // ICMPv6's covers the addresses, which the kernel knows: it sets it (raw(7)).
  if (family === 4) view.setUint16(2, checksum(view, NONCE_AT + NONCE_LENGTH))
}

/** RFC 1071, over an even number of octets; zeros behind them change nothing. */
function checksum(view: DataView, length: number): number {
  let sum = 0
  for (let at = 0; at < length; at += 2) sum += view.getUint16(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/**
 * Reads the beginning of a message: of an agent's question, or of an answer to one.
 * @returns undefined for anything else. The checksum is the kernel's business
 */
export function decodeEcho(family: Family, bytes: Uint8Array): EchoMessage | undefined {
  if (bytes.length < NONCE_AT + NONCE_LENGTH || bytes[1] !== 0) return undefined
  const [type] = bytes
  const kind = type === REQUEST[family] ? 'request' : type === REPLY[family] ? 'reply' : undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (kind === undefined || view.getUint32(ECHO_HEADER) !== MAGIC) return undefined
  return {
    kind,
    identifier: view.getUint16(4),
    sequence: view.getUint16(6),
    nonce: bytes.subarray(NONCE_AT, NONCE_AT + NONCE_LENGTH),
  }
}

/** Behind the IPv4 header in front of a message; undefined: it is none. */
export function behindIpv4Header(bytes: Uint8Array): Uint8Array | undefined {
  const [first = 0] = bytes
  const length = (first & 0x0f) * 4
  return first >> 4 === 4 && length >= IP_HEADER[4] && length <= bytes.length ? bytes.subarray(length) : undefined
}
