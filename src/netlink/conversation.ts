import { setImmediate } from 'node:timers/promises'
import { MessageBuffer } from './codec/buffer.ts'
import { EAGAIN, ENOBUFS } from './codec/errors.ts'
import { DecodeError, MessageCursor } from './codec/reader.ts'
import type { NetlinkSocket } from './socket.ts'
import { NLMSG, NLM_F, NLMSGERR_ATTR } from './codec/uapi.ts'
import { MessageWriter } from './codec/writer.ts'

/** The kernel never builds a dump's datagram larger than 32 KB, and only with a receiver that has offered as much. */
const RECEIVE_BYTES = 65_536
/** A socket's default send buffer takes 208 KB at once. */
const SEND_BYTES = 131_072
/** Datagrams read before others get a turn: of each some hundreds of rows are made by the kernel, and looked at here. */
const DATAGRAMS_PER_TURN = 4

/** How waiting for answers ended. */
export type ConversationOutcome =
  | { readonly is: 'complete'; readonly overrun: boolean }
  /** Answers were dropped because the receive buffer was full. */
  | { readonly is: 'lost' }
  | { readonly is: 'timeout' }
  | { readonly is: 'closed' }
  | { readonly is: 'failed'; readonly errno: number }
  | { readonly is: 'unreadable'; readonly error: DecodeError }

/**
 * Sends requests and reads answers on one socket, one conversation at a time (who uses it sees to that). Requests are carried out
 * while they are sent, so answers are read at once and without a turn through the event loop; poll only waits for what is missing.
 */
export class Conversation {
  readonly writer = new MessageWriter(SEND_BYTES)
  readonly #socket: NetlinkSocket
  readonly #cursor = new MessageCursor(new MessageBuffer(RECEIVE_BYTES))
  readonly #timeoutMs: number
  #sequence = 0

  constructor(socket: NetlinkSocket, timeoutMs: number) {
    this.#socket = socket
    this.#timeoutMs = timeoutMs
  }

  /** Takes `count` sequence numbers and returns the first. Answers to earlier ones, late ones too, are thereby out of date. */
  takeSequence(count = 1): number {
    // A batch never straddles the end of the 32 bits: whoever counts through four billion starts again at 1.
    if (this.#sequence + count > 0xffff_ffff) this.#sequence = 0
    this.#sequence += count
    return this.#sequence - count + 1
  }

  isClosed(): boolean {
    return this.#socket.isClosed()
  }

  /** Sends what the writer holds. @returns negated errno, or the number of bytes */
  send(): number {
    return this.#socket.send(this.writer.bytes, this.writer.length)
  }

  /** Hands every message that arrives to `take` until it says that it was the last one wanted. */
  async receiveUntil(take: (message: MessageCursor) => boolean): Promise<ConversationOutcome> {
    try {
      return await this.#receiveUntil(take)
    } catch (error) {
      if (error instanceof DecodeError) return { is: 'unreadable', error }
      throw error
    }
  }

  async #receiveUntil(take: (message: MessageCursor) => boolean): Promise<ConversationOutcome> {
    let overrun = false
    for (let datagrams = 1; !this.#socket.isClosed(); datagrams++) {
      let status = this.#socket.receive(this.#cursor.buffer)
      if (status === -EAGAIN) {
        if (overrun) return { is: 'lost' }
        const awaited = await this.#socket.readable(this.#timeoutMs)
        if (awaited === undefined) return { is: this.#socket.isClosed() ? 'closed' : 'timeout' }
        if (awaited === 0) continue
        status = awaited
      }
      if (status === -ENOBUFS) overrun = true
      else if (status < 0) return { is: 'failed', errno: -status }
      else if (this.#read(status, take)) return { is: 'complete', overrun }
      if (datagrams % DATAGRAMS_PER_TURN === 0) await setImmediate()
    }
    return { is: 'closed' }
  }

  #read(length: number, take: (message: MessageCursor) => boolean): boolean {
    let last = false
    this.#cursor.start(length)
    while (this.#cursor.next()) last = take(this.#cursor) || last
    return last
  }
}

/** What an NLMSG_ERROR says: a refusal, or with errno 0 an acknowledgement. */
export interface Acknowledgement {
  readonly errno: number
  /** The kernel's own words, if it has any for this. */
  readonly explanation: string | undefined
}

const NLMSGHDR_BYTES = 16
const ERRNO_BYTES = 4

/** Reads struct nlmsgerr and, behind it, the extended acknowledgement (NETLINK_EXT_ACK, NETLINK_CAP_ACK). */
export function readAcknowledgement(message: MessageCursor): Acknowledgement {
  const errno = -message.i32(0)
  if ((message.flags & NLM_F.ACK_TLVS) === 0) return { errno, explanation: undefined }
  // Without CAP_ACK the whole request comes back before the attributes; its length is in its header.
  const request = (message.flags & NLM_F.CAPPED) !== 0 ? NLMSGHDR_BYTES : message.u32(ERRNO_BYTES)
  return { errno, explanation: message.attributes(ERRNO_BYTES + request).text(NLMSGERR_ATTR.MSG) }
}

/** NLMSG_DONE carries an errno too: a dump may fail half-way. */
export function readDone(message: MessageCursor): Acknowledgement {
  if (message.end - message.payload < ERRNO_BYTES) return { errno: 0, explanation: undefined }
  const errno = -message.i32(0)
  if (errno === 0 || (message.flags & NLM_F.ACK_TLVS) === 0) return { errno, explanation: undefined }
  return { errno, explanation: message.attributes(ERRNO_BYTES).text(NLMSGERR_ATTR.MSG) }
}

export const isError = (message: MessageCursor): boolean => message.type === NLMSG.ERROR
export const isDone = (message: MessageCursor): boolean => message.type === NLMSG.DONE
