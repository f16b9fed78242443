/** A message that is not as its kind is written (protobuf.dev: programming-guides/encoding). */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'

  constructor(what: string, at: number) {
    super(`a message that is cut or no message: ${what} at octet ${at}`)
  }
}

/** How a field is written: the last three bits of its tag. */
export const [VARINT, FIXED64, LENGTH_DELIMITED, FIXED32] = [0, 1, 2, 5]

const TWO_TO_32 = 0x1_0000_0000

/**
 * Reads protocol buffers from first to last octet, and makes nothing of them by itself: whoever reads takes each field as it comes. Never
 * reads beyond the end of the message that it is in.
 */
export class WireReader {
  readonly bytes: Buffer
  #at: number
  #end: number
  /** Of the last field: its number and how it is written. */
  field = 0
  #type = 0
  /** The last number, in two halves. */
  #low = 0
  #high = 0
  /** What {@link int64} has returned last, and its halves. */
  #last = 0n
  #lastLow = 0
  #lastHigh = 0
  /** Where the last octets begin and end. */
  start = 0
  stop = 0

  /** @param end where the message ends in these octets */
  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes
    this.#at = at
    this.#end = end
  }

  /** The same reader, for the message that was read last. */
  within(start: number, stop: number): void {
    this.#at = start
    this.#end = stop
  }

  /** Goes on to the next field. @returns whether there is one @throws {MalformedMessage} */
  next(): boolean {
    if (this.#at === this.#end) return false
    this.#readVarint()
    this.field = this.#high === 0 ? this.#low >>> 3 : 0
    this.#type = this.#low & 7
    if (this.field === 0) throw this.#malformed('no field')
    return true
  }

  /** The field as octets: from {@link start} to {@link stop}. @throws {MalformedMessage} */
  octets(): void {
    this.#expect(LENGTH_DELIMITED)
    this.#readVarint()
    if (this.#high !== 0 || this.#low > this.#end - this.#at) throw this.#malformed('more octets than there are')
    this.start = this.#at
    this.#at += this.#low
    this.stop = this.#at
  }

  /** The field as 64 bits with a sign. @throws {MalformedMessage} */
  int64(): bigint {
    this.#number()
    // revisions of a key that was written once are the same: one for both
    if (this.#low === this.#lastLow && this.#high === this.#lastHigh) return this.#last
    this.#lastLow = this.#low
    this.#lastHigh = this.#high
    this.#last = this.#high === 0 ? BigInt(this.#low) : BigInt.asIntN(64, this.#bits())
    return this.#last
  }

  /** The field as 64 bits without a sign. @throws {MalformedMessage} */
  uint64(): bigint {
    this.#number()
    return this.#bits()
  }

  /** The field as a number of few bits, such as an enumeration's. @throws {MalformedMessage} */
  int32(): number {
    this.#number()
    return this.#low | 0
  }

  /** @throws {MalformedMessage} */
  boolean(): boolean {
    this.#number()
    if (this.#high !== 0 || this.#low > 1) throw this.#malformed('neither true nor false')
    return this.#low === 1
  }

  /** Passes over the field, whatever it is. @throws {MalformedMessage} */
  skip(): void {
    if (this.#type === VARINT) this.#readVarint()
    else if (this.#type === LENGTH_DELIMITED) this.octets()
    else if (this.#type === FIXED64) this.#pass(8)
    else if (this.#type === FIXED32) this.#pass(4)
    else throw this.#malformed('a field that is written in no known way')
  }

  #pass(octets: number): void {
    if (octets > this.#end - this.#at) throw this.#malformed('more octets than there are')
    this.#at += octets
  }

  #number(): void {
    this.#expect(VARINT)
    this.#readVarint()
  }

  #expect(type: number): void {
    if (this.#type !== type) throw this.#malformed(`field ${this.field} is written as another kind`)
  }

  #bits(): bigint {
    return this.#high === 0 ? BigInt(this.#low) : BigInt(this.#high) * BigInt(TWO_TO_32) + BigInt(this.#low)
  }

  /** Seven bits an octet, the lowest first; ten octets at most. */
  #readVarint(): void {
    const first = this.#octet()
    this.#high = 0
    this.#low = first & 0x7f
    if (first < 0x80) return
    let low = first & 0x7f
    let high = 0
    for (let place = 1; place < 10; place++) {
      const octet = this.#octet()
      const bits = octet & 0x7f
      if (place < 4) low |= bits << (7 * place)
      else if (place === 4) {
        low |= bits << 28
        high = bits >>> 4
      } else if (place < 9) high |= bits << (7 * place - 32)
      else if (octet > 1) break
      else high |= octet << 31
      if (octet >= 0x80) continue
      this.#low = low >>> 0
      this.#high = high >>> 0
      return
    }
    throw this.#malformed('a number of more than 64 bits')
  }

  #octet(): number {
    if (this.#at === this.#end) throw this.#malformed('the end')
    return this.bytes[this.#at++] ?? 0
  }

  #malformed(what: string): MalformedMessage {
    return new MalformedMessage(what, this.#at)
  }
}
