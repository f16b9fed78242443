import type { NetlinkAddon, SocketHandle } from '../../../src/native/load.ts'
import { MessageBuffer } from '../../../src/netlink/codec/buffer.ts'
import { MessageCursor } from '../../../src/netlink/codec/reader.ts'
import { NLM_F, NLMSG } from '../../../src/netlink/codec/uapi.ts'
import { MessageWriter } from '../../../src/netlink/codec/writer.ts'

const EAGAIN = 11
const EMSGSIZE = 90
const SOCKET = {} as SocketHandle

/** A request as the script sees it. */
export interface Request {
  readonly type: number
  readonly flags: number
  readonly sequence: number
}

/** What the script has the socket receive: a datagram, or a negated errno. */
export type Arrival = Uint8Array | number

/** Stands in for the C addon: a script decides what the kernel answers, also what the real one does only under load. */
export class ScriptedAddon implements NetlinkAddon {
  readonly requests: Request[] = []
  /** Level and name of each option that was set, in order. */
  readonly options: (readonly [level: number, option: number])[] = []
  /** Result of setting an option: 0, or a negated errno. */
  refuseOption: (option: number) => number = () => 0
  /** Result of `send`, if not the number of bytes. */
  sendStatus: number | undefined
  readonly #answer: (batch: readonly Request[]) => readonly Arrival[]
  readonly #inbox: Arrival[] = []
  #ready: ((status: number) => void) | undefined

  constructor(answer: (batch: readonly Request[]) => readonly Arrival[]) {
    this.#answer = answer
  }

  readonly open = (): SocketHandle => SOCKET
  readonly portId = (): number => 4711
  readonly setOption = (_: SocketHandle, level: number, option: number): number => {
    this.options.push([level, option])
    return this.refuseOption(option)
  }
  readonly attachFilter = (): number => 0
  readonly close = (): void => {
    this.#ready = undefined
  }

  readonly send = (_: SocketHandle, bytes: Uint8Array, length: number): number => {
    const batch = readRequests(bytes.subarray(0, length))
    this.requests.push(...batch)
    if (this.sendStatus !== undefined) return this.sendStatus
    this.deliver(...this.#answer(batch))
    return length
  }

  readonly receive = (_: SocketHandle, into: Uint8Array): number => {
    const arrival = this.#inbox.shift()
    if (typeof arrival === 'number') return arrival
    if (arrival === undefined) return -EAGAIN
    into.set(arrival.subarray(0, into.length))
    return arrival.length
  }

  /** One at a time. */
  readonly receiveAll = (socket: SocketHandle, into: Uint8Array): number => {
    const length = this.receive(socket, into)
    return length > into.length ? -EMSGSIZE : length
  }

  readonly poll = (_: SocketHandle, ready?: (status: number) => void): number => {
    this.#ready = ready
    if (this.#inbox.length > 0) this.#wake(0)
    return 0
  }

  /** Something arrives, now or while somebody waits. */
  deliver(...arrivals: readonly Arrival[]): void {
    this.#inbox.push(...arrivals)
    if (arrivals.length > 0) this.#wake(0)
  }

  /** The poll handle reports an error, as libuv does for an overrun socket. */
  fail(errno: number): void {
    this.#wake(-errno)
  }

  #wake(status: number): void {
    setImmediate(() => this.#ready?.(status))
  }
}

function readRequests(bytes: Uint8Array): Request[] {
  const cursor = new MessageCursor(new MessageBuffer(bytes.length))
  cursor.buffer.bytes.set(bytes)
  cursor.start(bytes.length)
  const requests: Request[] = []
  while (cursor.next()) requests.push({ type: cursor.type, flags: cursor.flags, sequence: cursor.sequence })
  return requests
}

/** One datagram of the messages that `write` writes. */
export function datagram(write: (writer: MessageWriter) => void): Uint8Array {
  const writer = new MessageWriter(65_536)
  write(writer)
  return writer.bytes.slice(0, writer.length)
}

/** NLMSG_ERROR: with errno 0 an acknowledgement. */
export const verdict = (sequence: number, errno = 0): Uint8Array =>
  datagram((writer) => {
    writer.begin(NLMSG.ERROR, NLM_F.CAPPED, sequence)
    writer.u32(-errno >>> 0)
    for (const word of [16, 0, sequence, 0]) writer.u32(word)
    writer.end()
  })

/** NLMSG_DONE with its errno. */
export const done = (sequence: number, errno = 0, flags = 0): Uint8Array =>
  datagram((writer) => {
    writer.begin(NLMSG.DONE, flags, sequence)
    writer.u32(-errno >>> 0)
    writer.end()
  })
