import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import { ChannelCredentials } from '@grpc/grpc-js'

type Connector = ReturnType<ChannelCredentials['_createSecureConnector']>

/**
 * How long a peer that accepted a connection may take for TLS and HTTP/2 to stand. gRPC itself would wait for ever for one that
 * was frozen or lost its power in between.
 */
const HANDSHAKE_TIMEOUT_MS = 3_000

export interface SocketEvents {
  /** Whether the newest connection has finished its handshakes. */
  readonly isReady: () => boolean
  /** The server has proved to be whom this certificate names. */
  readonly onCertificate: (certificate: X509Certificate) => void
}

/**
 * Credentials that keep hold of the sockets they are used on: gRPC lets go of one whose handshake never ends without closing it,
 * and of what a handshake failed with it keeps no more than a text. It connects again by itself, too, with what it was given when it was made:
 * each handshake is made with what is good now.
 */
export class SocketKeeper extends ChannelCredentials {
  readonly #current: () => ChannelCredentials
  readonly #inner: ChannelCredentials
  readonly #events: SocketEvents
  readonly #sockets = new Set<Socket>()
  #closed = false
  /** What the newest connection died of; undefined while it lives. */
  fault: Error | undefined
  /** Whether anybody has ever accepted one. */
  wasReached = false

  /** @param current those to connect with now; all are secure, or none is */
  constructor(current: () => ChannelCredentials, events: SocketEvents) {
    super()
    this.#current = current
    this.#inner = current()
    this.#events = events
  }

  override _isSecure(): boolean {
    return this.#inner._isSecure()
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other
  }

  override _createSecureConnector(...of: Parameters<ChannelCredentials['_createSecureConnector']>): Connector {
    const inner = this.#inner._createSecureConnector(...of)
    return {
      connect: (socket) => this.#connect(this.#current()._createSecureConnector(...of), socket),
      waitForReady: () => inner.waitForReady(),
      getCallCredentials: () => inner.getCallCredentials(),
      destroy: () => {
        inner.destroy()
      },
    }
  }

  /** Of all connections that are not closed yet: another number after each byte, and after each connection. */
  get bytesReceived(): number {
    return Array.from(this.#sockets).reduce((sum, { bytesRead }) => sum + bytesRead, 0)
  }

  /** Cuts every connection, finished or not. */
  close(): void {
    this.#closed = true
    for (const socket of this.#sockets) socket.destroy()
  }

  async #connect(inner: Connector, socket: Socket): ReturnType<Connector['connect']> {
    this.#keep(socket)
    const result = await inner.connect(socket).catch((error: unknown) => {
      this.#failed(error)
      throw error
    })
    const certificate = result.socket instanceof TLSSocket ? result.socket.getPeerX509Certificate() : undefined
    if (certificate !== undefined) this.#events.onCertificate(certificate)
    if (result.socket !== socket)
      result.socket.on('error', (error) => {
        this.#failed(error)
      })
    return result
  }

  #keep(socket: Socket): void {
    this.fault = undefined
    this.wasReached = true
    this.#sockets.add(socket)
    const timer = setTimeout(() => {
      if (!this.#events.isReady()) socket.destroy(new Error(`no handshake within ${HANDSHAKE_TIMEOUT_MS} ms`))
    }, HANDSHAKE_TIMEOUT_MS)
    socket.on('error', (error) => {
      this.#failed(error)
    })
    socket.on('close', () => {
      clearTimeout(timer)
      this.#sockets.delete(socket)
    })
    if (this.#closed) socket.destroy()
  }

  #failed(error: unknown): void {
    this.fault ??= error instanceof Error ? error : new Error(String(error))
  }
}
