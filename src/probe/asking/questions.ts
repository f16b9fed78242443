import type { Family, Ip } from '../../net/ip.ts'
import type { EchoReport } from '../echo-socket.ts'
import type { Totals } from '../totals.ts'
import { InFlight, type Waiting } from './in-flight.ts'
import type { Way } from './peer-book.ts'

/** What is to be asked. */
export interface Question extends Pick<Waiting, 'slot' | 'asks' | 'to' | 'packetLength' | 'deadlineMs'> {
  readonly from: Ip
}

/** What became of a question. */
export interface Reply extends Pick<Waiting, 'slot' | 'asks' | 'sentMs'> {
  readonly family: Family
  /** Round trip, in milliseconds; undefined: it was not answered; NaN: it was, and the clock was set meanwhile. */
  readonly rttMs: number | undefined
  /** What a router or this host said against it. */
  readonly says?: string | undefined
  /** What the way carries, as a router says, in octets. */
  readonly mtu?: number | undefined
}

/** Such errors say nothing of the peer. */
const OURS: ReadonlySet<string> = new Set(['ENOBUFS', 'EAGAIN', 'ENOMEM', 'EMSGSIZE'])

/**
 * What the kernel says where something keeps questions from leaving that passes, or does not; and for how long it says nothing of the peer, in
 * milliseconds: then they count as not answered. A queue has no room, or a filter of tc drops what is sent. The device has just got another MTU,
 * or a route of somebody's leads the packets to another one.
 */
const MAY_PASS: ReadonlyMap<string, number> = new Map([
  ['ENOBUFS', 10_000],
  ['EMSGSIZE', 2_000],
])

/** Sends questions, and finds out which of them each answer is for. */
export class Questions {
  readonly #inFlight: InFlight
  readonly #totals: Totals
  /** Since when no question to a peer through the overlay could leave, in milliseconds. */
  readonly #heldUp = new Map<number, number>()

  constructor(entropy: (octets: number) => Uint8Array, totals: Totals) {
    const [high = 0, low = 0] = entropy(2)
    this.#inFlight = new InFlight(entropy, high * 256 + low)
    this.#totals = totals
  }

  /** How many wait for an answer. */
  get open(): number {
    return this.#inFlight.size
  }

  /** When the first of them is given up; Infinity: none waits. */
  get nextDeadlineMs(): number {
    return this.#inFlight.nextDeadlineMs
  }

  /** @returns undefined: it is under way; `not now`: for a reason of ours it is not; or that it cannot be sent, as if not answered */
  send({ socket }: Way, question: Question, nowMs: number): Reply | 'not now' | undefined {
    const { slot, asks, to, from, packetLength, deadlineMs } = question
    const { sequence, nonce } = this.#inFlight.draw()
    const sent = socket.send({ sequence, nonce, to, from, packetLength })
    if (typeof sent === 'number') {
      this.#totals.asked()
      if (asks !== 'underlay') this.#heldUp.delete(slot)
      this.#inFlight.add(sequence, { slot, asks, to, packetLength, nonce, sentMs: nowMs, sentMicros: sent, deadlineMs })
      return undefined
    }
    if (OURS.has(sent.error) && asks !== 'search' && !this.#isHeldUp(question, sent.error, nowMs)) return 'not now'
    return { slot, asks, sentMs: nowMs, family: to.family, rttMs: undefined, says: `${sent.error} when it is sent` }
  }

  /** Whether it is more than what passes in a moment. */
  #isHeldUp({ slot, asks }: Question, error: string, nowMs: number): boolean {
    const passesWithinMs = MAY_PASS.get(error)
    if (passesWithinMs === undefined || asks === 'underlay') return false
    const sinceMs = this.#heldUp.get(slot) ?? nowMs
    this.#heldUp.set(slot, sinceMs)
    return nowMs - sinceMs >= passesWithinMs
  }

  /** @returns undefined for what answers no question of ours */
  take(family: Family, report: EchoReport, nowMs: number): Reply | undefined {
    const from = report.kind === 'reply' ? report.from : undefined
    if (report.kind === 'request') return undefined
    const waiting = this.#inFlight.take(report.sequence, report.nonce, from)
    if (waiting === undefined) return undefined
    const { slot, asks, sentMs } = waiting
    if (report.kind === 'refusal')
      return { slot, asks, sentMs, family, rttMs: undefined, says: report.says, mtu: report.mtu }
    return { slot, asks, sentMs, family, rttMs: roundTripMs(waiting, report.atMicros, nowMs) }
  }

  /** Those whose time is over. */
  takeExpired(nowMs: number): readonly Waiting[] {
    return this.#inFlight.takeExpired(nowMs)
  }

  /** Forgets those that are about a peer, or about all. @returns whom they were about */
  forget(slot?: number): readonly number[] {
    if (slot === undefined) this.#heldUp.clear()
    else this.#heldUp.delete(slot)
    return this.#inFlight.takeOf((other) => slot === undefined || other === slot).map((waiting) => waiting.slot)
  }
}

/** As the kernel has seen it; not a number where somebody has set the clock meanwhile. */
function roundTripMs({ sentMs, sentMicros }: Waiting, atMicros: number, nowMs: number): number {
  const ms = (atMicros - sentMicros) / 1_000
  return ms >= 0 && ms <= nowMs - sentMs + 1 ? Math.round(ms * 1_000) / 1_000 : Number.NaN
}
