import { getSystemErrorName } from 'node:util'
import { loadAddon, type IcmpAddon, type SocketHandle } from '../native/load.ts'
import type { Family } from '../net/ip.ts'
import { behindIpv4Header, decodeEcho } from '../probe/echo.ts'
import type { EchoQuestion, EchoReport, EchoSocket, NotSent } from '../probe/echo-socket.ts'
import { echoFilter, unwantedTypes } from './echo-filter.ts'
import { PACKETS_AT_ONCE, readPackets, roomForPackets, type Packet } from './packets.ts'
import { QuestionRoom } from './question-room.ts'
import { refusalWords } from './refusal-words.ts'
import { ICMP_FILTER, SO_RCVBUF, SO_RCVBUFFORCE, SOL_RAW, SOL_SOCKET } from './uapi.ts'

/** Of one turn: whoever floods us is not to keep us busy. */
const MOST_PACKETS = 512

/**
 * Room for what comes in until it is read, in octets as the kernel counts them: a second's answers, and as many questions of others, of
 * 9 000 octets each. It is used only as far as it is filled.
 */
const RECEIVE_OCTETS = 2 ** 21

/** Neither kind of socket can be had. */
export interface NoIcmp {
  readonly why: string
}

/**
 * Opens a raw socket, which takes CAP_NET_RAW, else a ping socket, which the host's settings may grant (icmp(7)).
 * @param identifier of what is asked by a raw one; the kernel gives a ping socket its own
 */
export function openIcmp(family: Family, identifier: number, addon: IcmpAddon = loadAddon()): EchoSocket | NoIcmp {
  const raw = addon.openIcmp(family, true)
  if (typeof raw !== 'number') return rawSocket(addon, raw, family, identifier)
  const ping = addon.openIcmp(family, false)
  if (typeof ping !== 'number') return new IcmpSocket({ addon, handle: ping, family, identifier, isRaw: false })
  const words = [raw, ping].map((error) => getSystemErrorName(error))
  return {
    why: `no ICMP socket can be had: a raw one takes CAP_NET_RAW (${words[0] ?? ''}), a ping socket a group within net.ipv4.ping_group_range (${words[1] ?? ''})`,
  }
}

function rawSocket(addon: IcmpAddon, handle: SocketHandle, family: Family, identifier: number): EchoSocket | NoIcmp {
  const statuses = [
    family === 4 ? addon.setOption(handle, SOL_RAW, ICMP_FILTER, unwantedTypes()) : 0,
    addon.attachFilter(handle, echoFilter(family, identifier)),
  ]
  const failed = statuses.find((status) => status < 0)
  if (failed === undefined) return new IcmpSocket({ addon, handle, family, identifier, isRaw: true })
  addon.close(handle)
  return { why: `the kernel takes no filter for a raw ICMP socket: ${getSystemErrorName(failed)}` }
}

interface IcmpSocketInput {
  readonly addon: IcmpAddon
  readonly handle: SocketHandle
  readonly family: Family
  readonly identifier: number
  readonly isRaw: boolean
}

class IcmpSocket implements EchoSocket {
  readonly hearsQuestions: boolean
  readonly #input: IcmpSocketInput
  readonly #room = roomForPackets()
  readonly #question: QuestionRoom

  constructor(input: IcmpSocketInput) {
    const { addon, handle, family, isRaw } = input
    this.#input = input
    this.hearsQuestions = isRaw
    this.#question = new QuestionRoom(family)
    // Beyond the system's limit only the initial namespace's administrator may go; what everybody else gets does for fewer peers.
    if (addon.setOption(handle, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_OCTETS) < 0)
      addon.setOption(handle, SOL_SOCKET, SO_RCVBUF, RECEIVE_OCTETS)
  }

  send({ to, from, packetLength, sequence, nonce }: EchoQuestion): number | NotSent {
    const { addon, handle, identifier } = this.#input
    const room = this.#question
    const bytes = room.write({ identifier, sequence, nonce }, to, from, packetLength)
    const sent = addon.sendIcmp(handle, bytes, room.to, room.from, 0)
    return sent < 0 ? { error: getSystemErrorName(sent) } : sent
  }

  receive(): readonly EchoReport[] {
    const reports: EchoReport[] = []
    for (const errors of [true, false])
      for (let taken = 0, count = PACKETS_AT_ONCE; count === PACKETS_AT_ONCE && taken < MOST_PACKETS; taken += count) {
        count = this.#receive(errors, reports)
      }
    return reports
  }

  #receive(errors: boolean, into: EchoReport[]): number {
    const { addon, handle, family } = this.#input
    const count = Math.max(0, addon.receivePackets(handle, this.#room, errors))
    for (const packet of readPackets(this.#room, count, family)) {
      const report = packet.error === undefined ? this.#heard(packet) : this.#refused(packet)
      if (report !== undefined) into.push(report)
    }
    return count
  }

  #heard({ data, address, atMicros }: Packet): EchoReport | undefined {
    const { family, isRaw } = this.#input
    const bytes = isRaw && family === 4 ? behindIpv4Header(data) : data
    const message = bytes && decodeEcho(family, bytes)
    if (message === undefined) return undefined
    const { kind, sequence, nonce } = message
    return { kind, sequence, nonce: nonce.slice(), from: address, atMicros }
  }

  /** What the error is about is our own question, as far as who says so has sent it back. */
  #refused({ error, type, code, offender, data }: Packet): EchoReport | undefined {
    const { family } = this.#input
    const question = decodeEcho(family, data)
    if (error === undefined || question?.kind !== 'request') return undefined
    const { name, info, origin } = error
    const says = refusalWords({ family, origin, type, code, error: name, from: offender?.text })
    const { sequence, nonce } = question
    return { kind: 'refusal', sequence, nonce: nonce.slice(), says, ...(name === 'EMSGSIZE' && { mtu: info }) }
  }

  close(): void {
    this.#input.addon.close(this.#input.handle)
  }
}
