import { sameIp, type Ip } from '../../net/ip.ts'
import { NONCE_LENGTH } from '../echo.ts'

/** A question that waits for its answer. */
export interface Waiting {
  readonly slot: number
  /** What it is to tell: see {@link Outcome}; `search`: whether that size passes; `underlay`: whether the PublicIP answers. */
  readonly asks: 'full' | 'small' | 'search' | 'underlay'
  /** Who is to answer. */
  readonly to: Ip
  readonly packetLength: number
  readonly nonce: Uint8Array
  readonly sentMs: number
  /** On the wall clock. */
  readonly sentMicros: number
  /** When it is given up, on the monotonic clock, in milliseconds. */
  readonly deadlineMs: number
}

/** Nonces that are taken from one call of the source. */
const AT_ONCE = 32

/** Questions under way, by their sequence numbers. What answers must say is drawn at random. */
export class InFlight {
  readonly #entropy: (octets: number) => Uint8Array
  readonly #waiting = new Map<number, Waiting>()
  #sequence: number
  #drawn: Uint8Array = new Uint8Array(0)

  constructor(entropy: (octets: number) => Uint8Array, firstSequence: number) {
    this.#entropy = entropy
    this.#sequence = firstSequence & 0xffff
  }

  get size(): number {
    return this.#waiting.size
  }

  /** What the next question is to carry. */
  draw(): { readonly sequence: number; readonly nonce: Uint8Array } {
    if (this.#drawn.length < NONCE_LENGTH) this.#drawn = this.#entropy(NONCE_LENGTH * AT_ONCE)
    const nonce = this.#drawn.slice(0, NONCE_LENGTH)
    this.#drawn = this.#drawn.subarray(NONCE_LENGTH)
    this.#sequence = (this.#sequence + 1) & 0xffff
    return { sequence: this.#sequence, nonce }
  }

  add(sequence: number, waiting: Waiting): void {
    this.#waiting.set(sequence, waiting)
  }

  /** The question that this answers, which is then under way no more; undefined: none, or not from whom was asked. */
  take(sequence: number, nonce: Uint8Array, from: Ip | undefined): Waiting | undefined {
    const waiting = this.#waiting.get(sequence)
    if (waiting === undefined || !sameOctets(waiting.nonce, nonce)) return undefined
    if (from !== undefined && !sameIp(from, waiting.to)) return undefined
    this.#waiting.delete(sequence)
    return waiting
  }

  /** Takes those whose time is over. */
  takeExpired(nowMs: number): readonly Waiting[] {
    return this.#takeAll(({ deadlineMs }) => deadlineMs <= nowMs)
  }

  /** Takes those that are about one of these. */
  takeOf(isMeant: (slot: number) => boolean): readonly Waiting[] {
    return this.#takeAll(({ slot }) => isMeant(slot))
  }

  /** When the first of them is given up; Infinity: none is under way. */
  get nextDeadlineMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { deadlineMs } of this.#waiting.values()) next = Math.min(next, deadlineMs)
    return next
  }

  #takeAll(isMeant: (waiting: Waiting) => boolean): readonly Waiting[] {
    const taken: Waiting[] = []
    for (const [sequence, waiting] of this.#waiting)
      if (isMeant(waiting)) {
        taken.push(waiting)
        this.#waiting.delete(sequence)
      }
    return taken
  }
}

const sameOctets = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((octet, at) => octet === b[at])
