import type { Family, Ip } from '../net/ip.ts'
import { IP_HEADER, shortest, writeEcho, type Echo } from '../probe/echo.ts'

/** Longest IP packet that there is, in octets. */
const LONGEST = 65_535

/** What a question is written into, again and again: twenty leave in a second, for as long as the agent runs. */
export class QuestionRoom {
  readonly #family: Family
  /** The last question; behind its beginning there are zeros. */
  #bytes: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  /** Addresses in network byte order. */
  readonly to: Uint8Array
  readonly from: Uint8Array

  constructor(family: Family) {
    this.#family = family
    const octets = family === 4 ? 4 : 16
    this.to = new Uint8Array(octets)
    this.from = new Uint8Array(octets)
  }

  /**
   * @param packetLength of the whole IP packet, in octets
   * @returns the question without its IP header, as in `encodeEcho`; valid until the next
   */
  write(echo: Echo, to: Ip, from: Ip, packetLength: number): Uint8Array {
    const length = Math.max(Math.min(packetLength, LONGEST), shortest(this.#family)) - IP_HEADER[this.#family]
    if (length > this.#bytes.length) {
      this.#bytes = new Uint8Array(length)
      this.#view = new DataView(this.#bytes.buffer)
    }
    writeEcho(this.#family, echo, this.#view, this.#bytes)
    putAddress(to, this.to)
    putAddress(from, this.from)
    return length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, length)
  }
}

function putAddress({ word0, word1, word2, word3 }: Ip, into: Uint8Array): void {
  putWord(word0, into, 0)
  if (into.length === 4) return
  putWord(word1, into, 4)
  putWord(word2, into, 8)
  putWord(word3, into, 12)
}

function putWord(word: number, into: Uint8Array, at: number): void {
  into[at] = word >>> 24
  into[at + 1] = word >>> 16
  into[at + 2] = word >>> 8
  into[at + 3] = word
}
