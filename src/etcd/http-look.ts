import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TlsCredentials } from './client/tls.ts'

/** What is read of an answer, in octets. */
const ENOUGH = 65_536
/** Nobody waits for longer, in milliseconds. */
const TIMEOUT_MS = 2_000

/**
 * Asks an address of etcd for a path in HTTP/1, which etcd speaks beside gRPC (etcd: dev-guide/api_grpc_gateway.md), without loading
 * anything for it. Never fails.
 * @param tls for https: what the server must prove itself by, and what we show; undefined: nothing is proved, and nothing shown
 * @returns the answer as it came, headers and all, of which nothing is to be believed; empty where there is none
 */
export function lookAt(
  url: string,
  path: string,
  tls: Pick<TlsCredentials, 'rootCertificate' | 'certChain' | 'privateKey'> | undefined,
  signal: AbortSignal,
): Promise<string> {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const place = { host, port: Number(port === '' ? '2379' : port) }
  const ask = (socket: Socket): unknown =>
    socket.write(`GET ${path} HTTP/1.0\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`)
  if (protocol !== 'https:') {
    const socket: Socket = connect(place, () => ask(socket))
    return answerOf(socket, signal)
  }
  // No address is a server's name (RFC 6066 §3).
  const named = isIP(host) === 0 ? { ...place, servername: host } : place
  const socket: Socket = connectTls({ ...named, ...proofs(tls) }, () => ask(socket))
  return answerOf(socket, signal)
}

const proofs = (tls: Parameters<typeof lookAt>[2]): object =>
  tls === undefined
    ? { rejectUnauthorized: false }
    : { ca: tls.rootCertificate, cert: tls.certChain, key: tls.privateKey }

/** What comes until the other end, the time, or our patience is over. */
function answerOf(socket: Socket, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    let words = ''
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      socket.destroy()
      resolve(words)
    }
    const timer = setTimeout(done, TIMEOUT_MS)
    signal.addEventListener('abort', done)
    socket.setEncoding('utf8')
    socket.on('data', (piece) => {
      words += String(piece)
      if (words.length > ENOUGH) done()
    })
    socket.on('error', done).on('close', done)
  })
}
