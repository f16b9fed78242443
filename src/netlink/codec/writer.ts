import type { Ip } from '../../net/ip.ts'
import { macHigh, macLow, type Mac } from '../../net/mac.ts'
import { align4, MessageBuffer } from './buffer.ts'
import { NLA_F_NESTED } from './uapi.ts'

const HEADER_BYTES = 16

/** The message does not fit the buffer; nothing of it is sent. */
export class MessageTooLong extends RangeError {
  override readonly name = 'MessageTooLong'
}

/**
 * Writes netlink messages one behind the other into one buffer that is used again for every batch: no garbage per message.
 * A message is `begin`, its fixed header field by field, attributes, `end`.
 */
export class MessageWriter {
  readonly #buffer: MessageBuffer
  #at = 0
  /** Where the last message begins. */
  #start = 0
  /** Both, as they were at the mark. */
  #markedAt = 0
  #markedStart = 0

  constructor(size: number) {
    this.#buffer = new MessageBuffer(size)
  }

  /** All bytes; those up to {@link length} are written. */
  get bytes(): Uint8Array {
    return this.#buffer.bytes
  }

  get length(): number {
    return this.#at
  }

  get room(): number {
    return this.#buffer.bytes.length - this.#at
  }

  reset(): void {
    this.#at = 0
  }

  /** Starts a message with its nlmsghdr. The port id is left to the kernel (0). */
  begin(type: number, flags: number, sequence: number): void {
    const at = this.#at
    this.#reserve(HEADER_BYTES)
    this.#start = at
    this.#buffer.u16[(at >> 1) + 2] = type
    this.#buffer.u16[(at >> 1) + 3] = flags
    this.#buffer.u32[(at >> 2) + 2] = sequence
    this.#buffer.u32[(at >> 2) + 3] = 0
  }

  /** Finishes the message: its length is known now. */
  end(): void {
    this.#buffer.u32[this.#start >> 2] = this.#at - this.#start
  }

  /** Adds flags to the last finished message, such as the batch's one NLM_F_ACK. */
  flagLast(flags: number): void {
    const field = (this.#start >> 1) + 3
    this.#buffer.u16[field] = (this.#buffer.u16[field] ?? 0) | flags
  }

  /** Marks a point between messages to {@link rewind} to, in the place of an earlier one. */
  mark(): void {
    this.#markedAt = this.#at
    this.#markedStart = this.#start
  }

  /** Forgets everything written since the mark. */
  rewind(): void {
    this.#at = this.#markedAt
    this.#start = this.#markedStart
  }

  /** One octet of a fixed header. */
  u8(value: number): void {
    this.#reserve(1)
    this.#buffer.bytes[this.#at - 1] = value
  }

  u16(value: number): void {
    this.#reserve(2)
    this.#buffer.u16[(this.#at - 2) >> 1] = value
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#buffer.u32[(this.#at - 4) >> 2] = value
  }

  attributeU8(type: number, value: number): void {
    const at = this.#attribute(type, 1)
    this.#buffer.u32[at >> 2] = 0
    this.#buffer.bytes[at] = value
  }

  attributeU32(type: number, value: number): void {
    this.#buffer.u32[this.#attribute(type, 4) >> 2] = value
  }

  /** 16 bits in network order, such as a UDP port. */
  attributeBe16(type: number, value: number): void {
    const at = this.#attribute(type, 2)
    this.#buffer.u32[at >> 2] = 0
    this.#buffer.bytes[at] = value >> 8
    this.#buffer.bytes[at + 1] = value & 0xff
  }

  /** Payload as it stands: an address, a structure. */
  attributeBytes(type: number, payload: ArrayLike<number>): void {
    const at = this.#attribute(type, payload.length)
    const { bytes } = this.#buffer
    for (let i = 0; i < payload.length; i++) bytes[at + i] = payload[i] ?? 0
    for (let i = at + payload.length; i < this.#at; i++) bytes[i] = 0
  }

  /** Text without terminator, as iproute2 sends an alias; the kernel takes it either way. */
  attributeText(type: number, text: string): void {
    this.attributeBytes(type, Buffer.from(text))
  }

  /** Text with its terminating NUL, as interface names are sent. */
  attributeName(type: number, text: string): void {
    this.attributeBytes(type, Buffer.from(`${text}\0`))
  }

  /** 4 or 16 octets. */
  attributeIp(type: number, { family, word0, word1, word2, word3 }: Ip): void {
    const at = this.#attribute(type, family === 4 ? 4 : 16)
    this.#be32(at, word0)
    if (family === 4) return
    this.#be32(at + 4, word1)
    this.#be32(at + 8, word2)
    this.#be32(at + 12, word3)
  }

  attributeMac(type: number, mac: Mac): void {
    const at = this.#attribute(type, 6)
    const { bytes } = this.#buffer
    const first = macHigh(mac)
    bytes[at] = first >> 8
    bytes[at + 1] = first
    this.#be32(at + 2, macLow(mac))
    bytes[at + 6] = 0
    bytes[at + 7] = 0
  }

  /** An attribute without payload: being there is its value. */
  attributeFlag(type: number): void {
    this.#attribute(type, 0)
  }

  /** An attribute that holds those which `content` writes; `marked` sets NLA_F_NESTED, which newer kernel code insists on. */
  nest(type: number, content: () => void, marked = false): void {
    const start = this.#at
    this.#attribute(marked ? type | NLA_F_NESTED : type, 0)
    content()
    this.#buffer.u16[start >> 1] = this.#at - start
  }

  /** @returns where the payload goes */
  #attribute(type: number, length: number): number {
    const at = this.#at
    this.#reserve(4 + align4(length))
    this.#buffer.u16[at >> 1] = 4 + length
    this.#buffer.u16[(at >> 1) + 1] = type
    return at + 4
  }

  /** 32 bits in network order. */
  #be32(at: number, word: number): void {
    const { bytes } = this.#buffer
    bytes[at] = word >> 24
    bytes[at + 1] = word >> 16
    bytes[at + 2] = word >> 8
    bytes[at + 3] = word
  }

  #reserve(length: number): void {
    const end = this.#at + length
    if (end > this.#buffer.bytes.length)
      throw new MessageTooLong(`a message of more than ${this.#buffer.bytes.length} bytes`)
    this.#at = end
  }
}
