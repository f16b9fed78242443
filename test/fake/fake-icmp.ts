import { ip, type Family, type Ip } from '../../src/net/ip.ts'
import type { EchoQuestion, EchoReport, EchoSocket, NotSent } from '../../src/probe/echo-socket.ts'
import type { Clock } from '../../src/time/clock.ts'

/** How a way treats packets. */
export interface FakeWay {
  /** Nothing passes. */
  readonly isCut?: boolean
  /** Larger packets do not pass, in octets. */
  readonly passes?: number
  /** Whether this packet, counted from 0, is lost. */
  readonly loses?: (count: number) => boolean
  readonly rttMs?: number
  /** Somebody else answers in its place. */
  readonly answersFrom?: string
  /** What somebody says instead of an answer. */
  readonly says?: string
  /** What cannot even be sent. */
  readonly error?: string
  /** Of this host's own device on the way, in octets: what is larger is refused. */
  readonly ownMtu?: number
}

export interface Asked {
  readonly to: string
  readonly from: string
  readonly packetLength: number
  readonly atMs: number
}

/** A network that answers ICMP echo, with ways to be made bad. */
export class FakeIcmp {
  /** Every question that was sent. */
  readonly asked: Asked[] = []
  /** Why no socket can be had. */
  why: string | undefined
  opened = 0
  /** By how much the wall clock goes before or behind where answers come in, in milliseconds. */
  wallMs = 0
  readonly #clock: Clock
  readonly #ways = new Map<string, FakeWay>()
  readonly #counts = new Map<string, number>()
  #waiting: { readonly atMs: number; readonly family: Family; readonly report: EchoReport }[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  set(address: string, way: FakeWay): void {
    this.#ways.set(address, way)
  }

  /** What another agent asks of this one. */
  askFrom(address: string): void {
    const from = ip(address)
    const report = { kind: 'request', sequence: 1, nonce: new Uint8Array(8), from, atMicros: 0 } as const
    this.#waiting.push({ atMs: this.#clock.monotonicMs(), family: from.family, report })
  }

  /** An answer that nobody has asked for, or asked of somebody else. */
  forge(from: string, sequence: number, nonce: Uint8Array): void {
    const report = {
      kind: 'reply',
      sequence,
      nonce,
      from: ip(from),
      atMicros: this.#clock.monotonicMs() * 1_000,
    } as const
    this.#waiting.push({ atMs: this.#clock.monotonicMs(), family: report.from.family, report })
  }

  /** What is under way is lost. */
  lose(): void {
    this.#waiting = []
  }

  open(family: Family): EchoSocket | { readonly why: string } {
    if (this.why !== undefined) return { why: this.why }
    this.opened++
    return {
      hearsQuestions: true,
      send: (question) => this.#send(question),
      receive: () => this.#receive(family),
      close: () => {
        this.opened--
      },
    }
  }

  #send({ to, from, packetLength, sequence, nonce }: EchoQuestion): number | NotSent {
    const nowMs = this.#clock.monotonicMs()
    const way = this.#ways.get(to.text) ?? {}
    if (way.error !== undefined) return { error: way.error }
    if (packetLength > (way.ownMtu ?? Infinity)) return { error: 'EMSGSIZE' }
    this.asked.push({ to: to.text, from: from.text, packetLength, atMs: nowMs })
    const count = this.#counts.get(to.text) ?? 0
    this.#counts.set(to.text, count + 1)
    const report = this.#answer(to, way, { packetLength, count, sequence, nonce, nowMs })
    if (report !== undefined) this.#waiting.push({ atMs: nowMs + (way.rttMs ?? 1), family: to.family, report })
    return nowMs * 1_000
  }

  #answer(from: Ip, way: FakeWay, sent: Sent): EchoReport | undefined {
    const { sequence, nonce, nowMs } = sent
    if (way.says !== undefined) return { kind: 'refusal', sequence, nonce, says: way.says }
    if (way.isCut === true || sent.packetLength > (way.passes ?? Infinity) || way.loses?.(sent.count) === true)
      return undefined
    const sender = way.answersFrom === undefined ? from : ip(way.answersFrom)
    return { kind: 'reply', sequence, nonce, from: sender, atMicros: (nowMs + (way.rttMs ?? 1) + this.wallMs) * 1_000 }
  }

  #receive(family: Family): readonly EchoReport[] {
    const nowMs = this.#clock.monotonicMs()
    const isIn = (one: { readonly atMs: number; readonly family: Family }): boolean =>
      one.family === family && one.atMs <= nowMs
    const reports = this.#waiting.filter(isIn).map(({ report }) => report)
    this.#waiting = this.#waiting.filter((one) => !isIn(one))
    return reports
  }
}

interface Sent {
  readonly packetLength: number
  readonly count: number
  readonly sequence: number
  readonly nonce: Uint8Array
  readonly nowMs: number
}
