import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Where something listens. */
export interface TcpAddress {
  readonly host: string
  readonly port: number
}

/** Somebody's attempt to connect. */
export interface Attempt {
  /** IPv4 address of whoever tried. */
  readonly from: string
  /** On the monotonic clock, in milliseconds. */
  readonly atMs: number
}

/**
 * Stands where agents look for etcd, and remembers who comes. It passes everything on to the real one; without a target it resets
 * whoever connects, as a machine does on which nothing listens.
 */
export class EtcdProxy {
  readonly attempts: Attempt[] = []
  readonly #server: Server
  readonly #target: TcpAddress | undefined
  readonly #sockets = new Set<Socket>()

  private constructor(target: TcpAddress | undefined) {
    this.#target = target
    this.#server = createServer((client) => {
      this.#relay(client)
    })
  }

  static async start({ host, port }: TcpAddress, target?: TcpAddress): Promise<EtcdProxy> {
    const proxy = new EtcdProxy(target)
    proxy.#server.listen(port, host)
    await once(proxy.#server, 'listening')
    return proxy
  }

  /** Resets every connection; new ones are welcome. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }

  #relay(client: Socket): void {
    this.attempts.push({ from: (client.remoteAddress ?? '').replace('::ffff:', ''), atMs: performance.now() })
    if (this.#target === undefined) {
      client.on('error', () => undefined)
      client.resetAndDestroy()
      return
    }
    const server = connect(this.#target.port, this.#target.host)
    this.#join(client, server)
    this.#join(server, client)
    client.pipe(server)
    server.pipe(client)
  }

  /** Whatever ends one side ends the other. */
  #join(one: Socket, other: Socket): void {
    this.#sockets.add(one)
    one.on('error', () => undefined)
    one.on('close', () => {
      this.#sockets.delete(one)
      other.destroy()
    })
  }
}
