import { getSystemErrorName } from 'node:util'
import { loadAddon } from './load.ts'

/** A process that listens at a Unix socket. */
export interface SocketListener {
  /** 0 where it lies in a PID namespace that ours does not see. */
  readonly pid: number
  /** Effective user, as our user namespace sees it. */
  readonly uid: number
}

/**
 * Who listens at a Unix stream socket, by the kernel's word; also when the process stands still.
 * @param socket path, or `@` and an abstract name
 * @returns the name of the error otherwise: `ECONNREFUSED` for nobody, `EAGAIN` for one whose queue is full
 */
export function listenerOf(socket: string): SocketListener | string {
  const found = loadAddon().listenerOf(Buffer.from(socket.replace(/^@/, '\0')))
  if (typeof found === 'number') return getSystemErrorName(found)
  const [pid, uid] = found
  return { pid, uid }
}
