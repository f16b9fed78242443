import { getSystemErrorName } from 'node:util'
import { ipFromBytes, type Family, type Ip } from '../net/ip.ts'

/** `Packet` of native/icmp.c: octets of one, and of what is kept of its data. */
const LENGTH = 192
const DATA_AT = 64
const KEPT_MOST = LENGTH - DATA_AT

export const PACKETS_AT_ONCE = 32
export const roomForPackets = (): Uint8Array => new Uint8Array(LENGTH * PACKETS_AT_ONCE)

const LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** A packet that came in, or (`error`) one of ours that somebody has said something against. */
export interface Packet {
  readonly error: { readonly name: string; readonly info: number; readonly origin: number } | undefined
  readonly type: number
  readonly code: number
  /** On the wall clock. */
  readonly atMicros: number
  /** Who sent it; of an error, where it was sent to. */
  readonly address: Ip
  /** Who said so; undefined: nobody but this host. */
  readonly offender: Ip | undefined
  /** Its beginning; valid until more is received. */
  readonly data: Uint8Array
}

/** Reads the first `count` packets that were received into `bytes`. */
export function readPackets(bytes: Uint8Array, count: number, family: Family): readonly Packet[] {
  return Array.from({ length: Math.min(count, PACKETS_AT_ONCE) }, (_, at) =>
    readPacket(bytes.subarray(at * LENGTH, (at + 1) * LENGTH), family),
  )
}

function readPacket(bytes: Uint8Array, family: Family): Packet {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const errno = view.getInt32(8, LITTLE)
  const width = family === 4 ? 4 : 16
  const offender = bytes.subarray(48, 48 + width)
  const info = view.getUint32(12, LITTLE)
  return {
    error: errno === 0 ? undefined : { name: getSystemErrorName(-errno), info, origin: view.getUint8(16) },
    type: view.getUint8(17),
    code: view.getUint8(18),
    atMicros: view.getFloat64(24, LITTLE),
    address: ipFromBytes(bytes.subarray(32, 32 + width)),
    offender: errno === 0 || offender.every((octet) => octet === 0) ? undefined : ipFromBytes(offender),
    data: bytes.subarray(DATA_AT, DATA_AT + Math.min(view.getUint32(4, LITTLE), KEPT_MOST)),
  }
}
