import { randomBytes } from 'node:crypto'
import { openIcmp } from '../../icmp/icmp-socket.ts'
import type { Family, Ip } from '../../net/ip.ts'
import { NONCE_LENGTH, shortest } from '../../probe/echo.ts'
import type { EchoReport, EchoSocket } from '../../probe/echo-socket.ts'
import type { Clock } from '../../time/clock.ts'
import type { Echo } from '../view.ts'

/** An answer that has not come after this long does not come, in milliseconds: four times what goes around the earth. */
const ANSWERS_WITHIN_MS = 800
/** Between two looks for an answer, in milliseconds. */
const LOOKS_EVERY_MS = 4
const MOST_SEQUENCE = 0xffff

/** Asks hosts by ICMP echo: one socket for each family, opened when the first is asked, and closed in the end. */
export class EchoAsker {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #sockets = new Map<Family, EchoSocket | { readonly why: string }>()
  readonly #heard = new Map<string, EchoReport>()
  #sequence = 0

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
  }

  /** @throws {Error} where this process may not ask */
  async ask(to: Ip, from: Ip, octets: number | undefined): Promise<Echo> {
    const socket = this.#socketFor(to.family)
    if ('why' in socket) throw new Error(`nobody can be pinged: ${socket.why}`)
    const nonce = new Uint8Array(randomBytes(NONCE_LENGTH))
    const sequence = (this.#sequence = (this.#sequence + 1) % MOST_SEQUENCE)
    const packetLength = octets ?? shortest(to.family)
    const sentMicros = socket.send({ to, from, packetLength, sequence, nonce })
    if (typeof sentMicros !== 'number') return { is: 'refused', says: `${sentMicros.error} on this host` }
    const report = await this.#reportOn(socket, keyOf({ sequence, nonce }))
    if (report === undefined) return { is: 'silence' }
    if (report.kind === 'refusal') return { is: 'refused', says: report.says }
    return { is: 'answered', rttMs: Math.max(0, report.atMicros - sentMicros) / 1_000 }
  }

  #socketFor(family: Family): EchoSocket | { readonly why: string } {
    const known = this.#sockets.get(family)
    if (known !== undefined) return known
    const opened = openIcmp(family, randomBytes(2).readUInt16BE())
    this.#sockets.set(family, opened)
    return opened
  }

  async #reportOn(socket: EchoSocket, key: string): Promise<EchoReport | undefined> {
    const endMs = this.#clock.monotonicMs() + ANSWERS_WITHIN_MS
    while (this.#clock.monotonicMs() < endMs && !this.#signal.aborted) {
      for (const report of socket.receive()) if (report.kind !== 'request') this.#heard.set(keyOf(report), report)
      const report = this.#heard.get(key)
      if (report !== undefined) return report
      await this.#clock.sleep(LOOKS_EVERY_MS, this.#signal)
    }
    return undefined
  }

  close(): void {
    for (const socket of this.#sockets.values()) if (!('why' in socket)) socket.close()
  }
}

const keyOf = ({ sequence, nonce }: { readonly sequence: number; readonly nonce: Uint8Array }): string =>
  `${sequence} ${Buffer.from(nonce).toString('hex')}`
