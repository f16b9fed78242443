import { closeSync } from 'node:fs'
import { getSystemErrorName } from 'node:util'
import { loadAddon } from './load.ts'

/** A process that listens at a Unix socket. */
export interface SocketListener {
  /** 0 where it lies in a PID namespace that ours does not see. */
  readonly pid: number
  /** Effective user, as our user namespace sees it. */
  readonly uid: number
}

const addressOf = (socket: string): Buffer => Buffer.from(socket.replace(/^@/, '\0'))

/**
 * Who listens at a Unix stream socket, by the kernel's word; also when the process stands still.
 * @param socket path, or `@` and an abstract name
 * @returns the name of the error otherwise: `ECONNREFUSED` for nobody, `EAGAIN` for one whose queue is full
 */
export function listenerOf(socket: string): SocketListener | string {
  const found = loadAddon().listenerOf(addressOf(socket))
  if (typeof found === 'number') return getSystemErrorName(found)
  const [pid, uid] = found
  return { pid, uid }
}

/** As many may ask who listens, in one period of {@link DISMISS_EVERY_MS}; whoever comes after them is told to try again. */
const BACKLOG = 128
/** How often those are sent away who have asked, in milliseconds: at once would be as often as anybody likes to ask. */
const DISMISS_EVERY_MS = 30_000

/**
 * Listens at a Unix stream socket, and answers nobody: however many connect, that takes no processor time.
 * @param socket path, or `@` and an abstract name
 * @param sendBuffer octets, half of what the kernel then says of the socket; of no effect for whom it does not allow that
 * @returns how to stop; the name of the error, such as `EADDRINUSE`
 */
export function listenAt(socket: string, sendBuffer: number): (() => void) | string {
  const addon = loadAddon()
  const descriptor = addon.listenUnix(addressOf(socket), sendBuffer, BACKLOG)
  if (descriptor < 0) return getSystemErrorName(descriptor)
  const timer = setInterval(() => {
    for (let asked = 0; asked < BACKLOG && addon.dismiss(descriptor) === 0; asked++);
  }, DISMISS_EVERY_MS).unref()
  let isOpen = true
  return () => {
    clearInterval(timer)
    if (isOpen) closeSync(descriptor)
    isOpen = false
  }
}
