import { getSystemErrorName } from 'node:util'
import { loadAddon } from './load.ts'

/**
 * Sends one datagram to a Unix socket, without ever waiting for its reader. Node has streams of this family only.
 * @param socket path, or `@` and an abstract name, as systemd writes it (sd_notify(3))
 * @returns the name of the error, such as `ECONNREFUSED`; undefined when it was sent
 */
export function sendDatagram(socket: string, text: string): string | undefined {
  const address = Buffer.from(socket.replace(/^@/, '\0'))
  const result = loadAddon().sendUnix(address, Buffer.from(text))
  return result < 0 ? getSystemErrorName(result) : undefined
}
