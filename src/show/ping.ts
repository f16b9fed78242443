import { counted, milliseconds } from '../present/age.ts'
import type { Looks } from '../present/table.ts'
import type { PeerStatus } from '../status/document.ts'
import { printable } from '../text/printable.ts'
import { underlayText } from './peer.ts'
import { HUES } from './reach.ts'

/** One line of `flanneld ping`: how far packets to a peer come. */
export function pingLine(peer: PeerStatus, { paint }: Looks): string {
  const { name, address, publicIp, reach } = peer
  return `${printable(name)} (${address ?? publicIp}): ${paint(HUES[reach], verdict(peer))}\n`
}

/** What came of a question to a container, whose node is asked besides. */
export interface ContainerAnswer {
  readonly container: string
  /** Name of the peer that has its subnet. */
  readonly node: string
  /** Null: it did not answer. */
  readonly rttMs: number | null
  /** What was said in place of an answer; null: nothing. */
  readonly says: string | null
}

/** One line of `flanneld ping` for a container. */
export function containerLine(
  name: string,
  { rttMs, says }: ContainerAnswer,
  node: PeerStatus,
  { paint }: Looks,
): string {
  if (rttMs !== null) return `${name}: ${paint('good', `answers in ${milliseconds(rttMs)}`)}\n`
  const why = says === null ? '' : `, but ${printable(says)}`
  const where =
    node.reach === 'reachable'
      ? `; its node does: it is that container, docker0 or cni0 there, or what forwards there`
      : ''
  return `${name}: ${paint('bad', `no answer${why}`)}${where}\n`
}

function verdict(peer: PeerStatus): string {
  const { reach, rttMs, loss, passesOctets } = peer
  if (reach === 'reachable') return `answers in ${milliseconds(rttMs)}, in full size`
  if (reach === 'lossy') return `answers in ${milliseconds(rttMs)}, but ${Math.round(loss * 100)} % are lost`
  if (reach === 'mtu')
    return `answers in ${milliseconds(rttMs)}, but packets of more than ${String(passesOctets ?? 'some')} octets are lost`
  return reach === 'unknown' ? 'not decided yet' : `no answer; ${underlayText(peer)}`
}

/** What was counted over all questions to one peer. */
export class PingTally {
  #asked = 0
  #answered = 0
  #inFull = 0
  readonly #rtts = { least: Infinity, most: 0, sum: 0 }

  add({ reach, rttMs }: Pick<PeerStatus, 'reach' | 'rttMs'>): void {
    this.#asked++
    if (reach === 'unreachable' || reach === 'unknown') return
    this.#answered++
    if (reach === 'reachable') this.#inFull++
    if (rttMs === null) return
    this.#rtts.least = Math.min(this.#rtts.least, rttMs)
    this.#rtts.most = Math.max(this.#rtts.most, rttMs)
    this.#rtts.sum += rttMs
  }

  /** Whether each question was answered, in full size and without loss. */
  get isWell(): boolean {
    return this.#asked > 0 && this.#inFull === this.#asked
  }

  /** Last line, as ping has it. */
  toString(): string {
    const { least, most, sum } = this.#rtts
    const rtts =
      least === Infinity
        ? ''
        : `; round trip ${milliseconds(least)} at least, ${milliseconds(sum / this.#answered)} on average, ${milliseconds(most)} at most`
    return `asked ${counted(this.#asked, 'time')}, answered ${this.#answered}, in full ${this.#inFull}${rtts}`
  }
}
