import { addressBits, ipFromWords, type Family, type Ip } from '../../net/ip.ts'
import { macFromParts, macHigh, macLow, type Mac } from '../../net/mac.ts'
import { align4, type MessageBuffer } from './buffer.ts'
import { AF, NLA_TYPE_MASK } from './uapi.ts'

const HEADER_BYTES = 16
const ATTRIBUTE_BYTES = 4

/** Bytes that are no netlink message, or a message that contradicts itself. The only thing decoding throws. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  /** Byte offset in the datagram. */
  readonly offset: number

  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset}`)
    this.offset = offset
  }
}

/** Family of an address of so many octets in the given AF_* family. */
export function familyOf(af: number): Family | undefined {
  return af === AF.INET ? 4 : af === AF.INET6 ? 6 : undefined
}

/**
 * Walks over the messages of one datagram. The fields are those of the current message (nlmsghdr); one cursor serves for all
 * messages of all datagrams.
 */
export class MessageCursor {
  readonly buffer: MessageBuffer
  type = 0
  flags = 0
  sequence = 0
  portId = 0
  /** Where the payload begins. */
  payload = 0
  /** Where the message ends. */
  end = 0
  /** How many datagrams have been begun. */
  datagrams = 0
  #next = 0
  #limit = 0
  readonly #attributes: Attributes
  /** Where those begin that {@link attributes} found last; -1: none in this message. */
  #attributesFrom = -1

  constructor(buffer: MessageBuffer) {
    this.buffer = buffer
    this.#attributes = new Attributes(buffer)
  }

  /** Octets of the datagram. */
  get length(): number {
    return this.#limit
  }

  /** Begins a datagram of `length` bytes. @throws {DecodeError} if the buffer is too small for it: it was cut */
  start(length: number): void {
    if (length > this.buffer.bytes.length)
      throw new DecodeError(`datagram of ${length} bytes was cut`, this.buffer.bytes.length)
    this.#next = 0
    this.#limit = length
    this.datagrams++
  }

  /** Steps to the next message. @throws {DecodeError} when its length is impossible */
  next(): boolean {
    const at = this.#next
    if (at >= this.#limit) return false
    if (this.#limit - at < HEADER_BYTES) throw new DecodeError('message header is cut', at)
    const { u16, u32 } = this.buffer
    const length = u32[at >> 2] ?? 0
    if (length < HEADER_BYTES || length > this.#limit - at) throw new DecodeError(`message length ${length}`, at)
    this.type = u16[(at >> 1) + 2] ?? 0
    this.flags = u16[(at >> 1) + 3] ?? 0
    this.sequence = u32[(at >> 2) + 2] ?? 0
    this.portId = u32[(at >> 2) + 3] ?? 0
    this.payload = at + HEADER_BYTES
    this.end = at + length
    this.#attributesFrom = -1
    this.#next = at + align4(length)
    return true
  }

  /** Octet `offset` of the fixed header behind the nlmsghdr. */
  u8(offset: number): number {
    return this.buffer.bytes[this.#field(offset, 1)] ?? 0
  }

  u16(offset: number): number {
    return this.buffer.u16[this.#field(offset, 2) >> 1] ?? 0
  }

  u32(offset: number): number {
    return this.buffer.u32[this.#field(offset, 4) >> 2] ?? 0
  }

  i32(offset: number): number {
    return this.u32(offset) | 0
  }

  /**
   * The attributes behind a fixed header of `headerBytes`; until the next step. One object serves for all messages, and walks over each once.
   * @throws {DecodeError} when an attribute's length is impossible
   */
  attributes(headerBytes: number): Attributes {
    this.#field(0, headerBytes)
    const from = this.payload + align4(headerBytes)
    if (from === this.#attributesFrom) return this.#attributes
    this.#attributesFrom = -1 // unless they can be read
    this.#attributes.find(from, this.end)
    this.#attributesFrom = from
    return this.#attributes
  }

  #field(offset: number, size: number): number {
    const at = this.payload + offset
    if (at + size > this.end) throw new DecodeError('message is too short for its type', this.payload)
    return at
  }
}

/** Of attributes with types below this it is remembered where they are; there are hardly any others. */
const INDEXED_TYPES = 64

/**
 * Attributes (struct nlattr) in a stretch of bytes. Those that nobody asks for are kept and can be walked over; asking for one
 * that is missing gives undefined, for one that is too short for what it should be throws. Of several of a type, the first counts.
 */
export class Attributes implements Iterable<readonly [type: number, payload: Uint8Array]> {
  readonly #buffer: MessageBuffer
  /** Where the attribute of each type is, if its bit is set in one of the next two: types below 32, and the others. */
  readonly #places = new Int32Array(INDEXED_TYPES)
  #lowTypes = 0
  #highTypes = 0
  #from = 0
  #to = 0

  constructor(buffer: MessageBuffer) {
    this.#buffer = buffer
  }

  /** Goes over to the attributes from here to there. @throws {DecodeError} when an attribute's length is impossible */
  find(from: number, to: number): this {
    this.#from = from
    this.#to = to
    this.#lowTypes = 0
    this.#highTypes = 0
    for (let at = from; to - at >= ATTRIBUTE_BYTES;) {
      const length = this.#lengthAt(at)
      if (length < ATTRIBUTE_BYTES || length > to - at) throw new DecodeError(`attribute length ${length}`, at)
      this.#note(this.#typeAt(at), at)
      at += align4(length)
    }
    return this
  }

  #note(type: number, at: number): void {
    if (type >= INDEXED_TYPES || this.has(type)) return
    this.#places[type] = at
    if (type < 32) this.#lowTypes |= 1 << type
    else this.#highTypes |= 1 << (type - 32)
  }

  *[Symbol.iterator](): Iterator<readonly [number, Uint8Array]> {
    for (let at = this.#from; this.#to - at >= ATTRIBUTE_BYTES; at += align4(this.#lengthAt(at)))
      yield [this.#typeAt(at), this.#octets(at)]
  }

  /** Which types below 32 there are: bit n for type n. */
  types(): number {
    return this.#lowTypes
  }

  /** Octets of an attribute's payload; 0 also when there is none. */
  lengthOf(type: number): number {
    const at = this.#find(type)
    return at < 0 ? 0 : this.#lengthAt(at) - ATTRIBUTE_BYTES
  }

  has(type: number): boolean {
    if (type >= INDEXED_TYPES) return this.#find(type) >= 0
    return ((type < 32 ? this.#lowTypes >>> type : this.#highTypes >>> (type - 32)) & 1) === 1
  }

  u8(type: number): number | undefined {
    const at = this.#payload(type, 1)
    return at === undefined ? undefined : this.#buffer.bytes[at]
  }

  /** At byte `offset` of the payload: a structure's field, a multiple of 2. */
  u16(type: number, offset = 0): number | undefined {
    const at = this.#payload(type, offset + 2)
    return at === undefined ? undefined : this.#buffer.u16[(at + offset) >> 1]
  }

  /** At byte `offset` of the payload: a structure's field, a multiple of 4. */
  u32(type: number, offset = 0): number | undefined {
    const at = this.#payload(type, offset + 4)
    return at === undefined ? undefined : this.#buffer.u32[(at + offset) >> 2]
  }

  /** 16 bits in network order. */
  be16(type: number): number | undefined {
    const at = this.#payload(type, 2)
    return at === undefined ? undefined : this.#be16(at)
  }

  /** A copy of the payload. */
  bytes(type: number): Uint8Array | undefined {
    const at = this.#find(type)
    return at < 0 ? undefined : this.#octets(at)
  }

  /** Text up to its NUL, if it has one. */
  text(type: number): string | undefined {
    const payload = this.bytes(type)
    return payload && textOf(payload)
  }

  /** Of an attribute that may be there several times: each one's text, in their order. */
  texts(type: number): readonly string[] {
    return [...this].filter(([found]) => found === type).map(([, payload]) => textOf(payload))
  }

  /** @throws {DecodeError} when it has neither 4 nor 16 octets */
  ip(type: number): Ip | undefined {
    const at = this.#find(type)
    if (at < 0) return undefined
    const octets = this.#lengthAt(at) - ATTRIBUTE_BYTES
    const payload = at + ATTRIBUTE_BYTES
    if (octets === 4) return ipFromWords(4, this.#be32(payload))
    if (octets !== 16) throw new DecodeError(`address of ${octets} octets`, at)
    const word0 = this.#be32(payload)
    return ipFromWords(6, word0, this.#be32(payload + 4), this.#be32(payload + 8), this.#be32(payload + 12))
  }

  /** Undefined also for a link-layer address that is no Ethernet address (tunnels have theirs in it). */
  mac(type: number): Mac | undefined {
    const at = this.#find(type)
    if (at < 0 || this.#lengthAt(at) !== ATTRIBUTE_BYTES + 6) return undefined
    const payload = at + ATTRIBUTE_BYTES
    return macFromParts(this.#be16(payload), this.#be32(payload + 2))
  }

  /** Whether there is this address, which is thereby not made of it. */
  isIp(type: number, ip: Ip): boolean {
    const payload = this.#find(type) + ATTRIBUTE_BYTES
    if (this.lengthOf(type) !== addressBits(ip.family) / 8 || this.#be32(payload) !== ip.word0) return false
    if (ip.family === 4) return true
    const [second, third] = [this.#be32(payload + 4), this.#be32(payload + 8)]
    return second === ip.word1 && third === ip.word2 && this.#be32(payload + 12) === ip.word3
  }

  /** Whether there is this address, which is thereby not made of it. */
  isMac(type: number, mac: Mac): boolean {
    const payload = this.#find(type) + ATTRIBUTE_BYTES
    return this.lengthOf(type) === 6 && this.#be32(payload + 2) === macLow(mac) && this.#be16(payload) === macHigh(mac)
  }

  /** The attributes inside one: in all of its payload, or in bytes `from` to `to` of it, where structures stand around them. */
  nested(type: number, from = 0, to = Infinity): Attributes | undefined {
    const at = this.#find(type)
    if (at < 0) return undefined
    const payload = at + ATTRIBUTE_BYTES
    return new Attributes(this.#buffer).find(payload + from, Math.min(payload + to, at + this.#lengthAt(at)))
  }

  #octets(at: number): Uint8Array {
    return this.#buffer.bytes.slice(at + ATTRIBUTE_BYTES, at + this.#lengthAt(at))
  }

  #be16(at: number): number {
    return ((this.#buffer.bytes[at] ?? 0) << 8) | (this.#buffer.bytes[at + 1] ?? 0)
  }

  /** 32 bits in network order, as a signed integer. */
  #be32(at: number): number {
    return (this.#be16(at) << 16) | this.#be16(at + 2)
  }

  #payload(type: number, size: number): number | undefined {
    const at = this.#find(type)
    if (at < 0) return undefined
    if (this.#lengthAt(at) < ATTRIBUTE_BYTES + size)
      throw new DecodeError(`attribute ${type} is shorter than ${size}`, at)
    return at + ATTRIBUTE_BYTES
  }

  #find(type: number): number {
    if (type < INDEXED_TYPES) return this.has(type) ? (this.#places[type] ?? -1) : -1
    for (let at = this.#from; this.#to - at >= ATTRIBUTE_BYTES; at += align4(this.#lengthAt(at)))
      if (this.#typeAt(at) === type) return at
    return -1
  }

  #lengthAt(at: number): number {
    return this.#buffer.u16[at >> 1] ?? 0
  }

  #typeAt(at: number): number {
    return (this.#buffer.u16[(at >> 1) + 1] ?? 0) & NLA_TYPE_MASK
  }
}

function textOf(payload: Uint8Array): string {
  const nul = payload.indexOf(0)
  return Buffer.from(nul < 0 ? payload : payload.subarray(0, nul)).toString()
}
