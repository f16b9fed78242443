import { KernelError } from '../kernel/kernel.ts'
import type { NetlinkAddon, SocketHandle } from '../native/load.ts'
import { MessageBuffer } from './codec/buffer.ts'
import { fault, refusal } from './codec/errors.ts'
import { isDone, isError, readAcknowledgement, readDone } from './conversation.ts'
import { DecodeError, MessageCursor } from './codec/reader.ts'
import { AF, NETLINK_SOCK_DIAG, NLM_F, SOCK_DIAG_BY_FAMILY, TCP, UDIAG_SHOW, UNIX_DIAG } from './codec/uapi.ts'
import { MessageWriter } from './codec/writer.ts'

/** A Unix stream socket with a name. */
export interface UnixSocket {
  /** As the kernel has it: an abstract name begins with a zero octet, and may end with some. */
  readonly name: string
  readonly inode: number
  /** Who has made it, as our user namespace sees that; undefined before Linux 5.3, which does not say. */
  readonly uid: number | undefined
  /** Octets. */
  readonly sendBuffer: number
}

const NAME = 'unix sockets'
/** struct unix_diag_msg (linux/unix_diag.h). */
const UNIX_DIAG_MSG_BYTES = 16
const INODE_AT = 4
/** SK_MEMINFO_SNDBUF (linux/sock_diag.h), in octets. */
const SEND_BUFFER_AT = 3 * 4
const RECEIVE_BYTES = 65_536
/** Datagrams of an answer, which the kernel makes while they are read: beyond this it is not the truth that is being read. */
const MOST_DATAGRAMS = 10_000

/** Stream sockets that are listened at; those with a name of which that is not so. */
export type UnixSocketState = 'listening' | 'idle'

const STATES: Readonly<Record<UnixSocketState, number>> = { listening: 1 << TCP.LISTEN, idle: 1 << TCP.CLOSE }

/**
 * The Unix sockets of our network namespace whose names begin with `prefix`, by the kernel's word (sock_diag(7)).
 * @returns the reason in words where the kernel does not tell, as one without unix_diag
 */
export function unixSockets(
  addon: NetlinkAddon,
  prefix: string,
  state: UnixSocketState,
): readonly UnixSocket[] | string {
  const socket = addon.open(NETLINK_SOCK_DIAG)
  if (typeof socket === 'number') return refusal(NAME, 'NETLINK_SOCK_DIAG', -socket).message
  try {
    return ask(addon, socket, prefix, state)
  } catch (error) {
    if (error instanceof KernelError || error instanceof DecodeError) return error.message
    throw error
  } finally {
    addon.close(socket)
  }
}

function ask(addon: NetlinkAddon, socket: SocketHandle, prefix: string, state: UnixSocketState): readonly UnixSocket[] {
  const request = requestFor(STATES[state])
  const sent = addon.send(socket, request.bytes, request.length)
  if (sent < 0) throw refusal(NAME, '', -sent)
  const cursor = new MessageCursor(new MessageBuffer(RECEIVE_BYTES))
  const found: UnixSocket[] = []
  for (let datagrams = 0; datagrams < MOST_DATAGRAMS; datagrams++) {
    const length = addon.receive(socket, cursor.buffer.bytes)
    if (length < 0) throw refusal(NAME, '', -length)
    cursor.start(length)
    while (cursor.next()) {
      if (isDone(cursor) || isError(cursor)) return ended(cursor, found)
      const named = readSocket(cursor)
      if (named.name.startsWith(prefix)) found.push(named)
    }
  }
  throw fault(NAME, '', 'INTERRUPTED')
}

function ended(message: MessageCursor, found: readonly UnixSocket[]): readonly UnixSocket[] {
  const { errno, explanation } = isDone(message) ? readDone(message) : readAcknowledgement(message)
  if (errno !== 0) throw refusal(NAME, '', errno, explanation)
  return found
}

/** struct unix_diag_req (linux/unix_diag.h). */
function requestFor(states: number): MessageWriter {
  const writer = new MessageWriter(64)
  writer.begin(SOCK_DIAG_BY_FAMILY, NLM_F.REQUEST | NLM_F.DUMP, 1)
  writer.u8(AF.UNIX)
  writer.u8(0)
  writer.u16(0)
  for (const field of [states, 0, UDIAG_SHOW.NAME | UDIAG_SHOW.MEMINFO | UDIAG_SHOW.UID, 0, 0]) writer.u32(field)
  writer.end()
  return writer
}

function readSocket(message: MessageCursor): UnixSocket {
  const inode = message.u32(INODE_AT)
  const attributes = message.attributes(UNIX_DIAG_MSG_BYTES)
  return {
    name: Buffer.from(attributes.bytes(UNIX_DIAG.NAME) ?? []).toString('latin1'),
    inode,
    uid: attributes.u32(UNIX_DIAG.UID),
    sendBuffer: attributes.u32(UNIX_DIAG.MEMINFO, SEND_BUFFER_AT) ?? 0,
  }
}
