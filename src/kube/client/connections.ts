import { Agent as HttpAgent, request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { rootCertificates } from 'node:tls'
import type { Credentials } from './credentials.ts'

/**
 * TCP asks a peer that says nothing after so long, in milliseconds, and then ten times, a second apart (as libuv has it): a connection to an
 * API server that is gone without a word ends within 13 s. Where something comes all the time, nobody is asked.
 */
const TCP_ASKS_AFTER_MS = 3_000
/** Requests at once; a list, a patch and a pod are never asked for together. */
const MOST_CONNECTIONS = 4

export interface RawRequest {
  readonly method: 'GET' | 'PATCH' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /** On a connection of its own, which ends with it. */
  readonly isAlone: boolean
}

/** Connections to one API server, made with one set of credentials. */
export class Connections {
  readonly credentials: Credentials
  /** Whether the host is an address, and no name. */
  readonly isAddress: boolean
  readonly #host: string
  readonly #shared: HttpAgent
  readonly #alone: HttpAgent

  constructor(credentials: Credentials) {
    this.credentials = credentials
    this.#host = credentials.url.hostname.replace(/^\[(.*)\]$/, '$1')
    this.isAddress = isIP(this.#host) !== 0
    const make = (keepAlive: boolean): HttpAgent => {
      const options = {
        keepAlive,
        keepAliveMsecs: TCP_ASKS_AFTER_MS,
        maxSockets: MOST_CONNECTIONS,
        scheduling: 'lifo',
      } as const
      return credentials.url.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options)
    }
    this.#shared = make(true)
    this.#alone = make(false)
  }

  /** Begins a request. @param answered called once, with the head of the answer */
  begin(
    { method, path, headers, body, isAlone }: RawRequest,
    answered: (answer: IncomingMessage) => void,
  ): ClientRequest {
    const { url, authorization, authorities, client, isInsecure, serverName } = this.credentials
    const own = authorization === undefined ? headers : { ...headers, authorization }
    const options = {
      host: this.#host,
      port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port,
      path: `${url.pathname.replace(/\/$/, '')}${path}`,
      method,
      headers: body === undefined ? own : { ...own, 'content-length': String(Buffer.byteLength(body)) },
      agent: isAlone ? this.#alone : this.#shared,
    }
    const request =
      url.protocol === 'https:'
        ? requestHttps(
            {
              ...options,
              ca: authorities ?? [...rootCertificates], // said, since the executable's Node has none by default
              ...(client && { cert: client.certificate, key: client.key }),
              ...(serverName !== undefined && { servername: serverName }),
              rejectUnauthorized: !isInsecure,
              minVersion: 'TLSv1.2',
            },
            answered,
          )
        : requestHttp(options, answered)
    request.on('socket', (socket) => {
      socket.setKeepAlive(true, TCP_ASKS_AFTER_MS)
    })
    request.end(body)
    return request
  }

  /** Ends those that several requests go over, one after the other. */
  closeShared(): void {
    this.#shared.destroy()
  }
}
