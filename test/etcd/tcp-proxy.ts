import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** What happens to bytes on their way through. */
type Mode =
  | 'pass'
  /** Connections are refused. */
  | 'refuse'
  /** Requests arrive, answers do not. */
  | 'swallow answers'
  /** Connections are accepted, and then nothing: as of a machine that hangs. */
  | 'black hole'

/** Size in bytes of an answer that is a header and nothing else, in its gRPC and HTTP/2 frames. */
const BARE_HEADER = { least: 40, most: 100 }

/** A TCP relay on loopback in front of an etcd that tests can tear at. */
export class TcpProxy {
  private readonly targetPort: number
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private readonly held = new Set<Socket>()
  private mode: Mode = 'pass'
  /** How long bytes are on their way, either way, in milliseconds. */
  delayMs = 0
  /** Pieces from etcd so far that can be progress notifications: events are larger, HTTP/2's own pings and window updates smaller. */
  bareHeaders = 0
  /** Connections made so far. */
  connections = 0
  private readonly idleMs: number

  private constructor(targetPort: number, idleMs: number) {
    this.targetPort = targetPort
    this.idleMs = idleMs
    this.server = createServer((client) => {
      this.relay(client)
    })
  }

  /** @param idleMs cuts a connection over which nothing has come for so long, as balancers do after a minute; default: never */
  static async start(targetPort: number, idleMs = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort, idleMs)
    proxy.server.listen(0, '127.0.0.1')
    await once(proxy.server, 'listening')
    return proxy
  }

  get endpoint(): string {
    const address = this.server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy is not listening')
    return `http://127.0.0.1:${address.port}`
  }
  get openConnections(): number {
    return this.sockets.size / 2
  }

  /** Connections that nobody will ever answer. */
  get heldConnections(): number {
    return this.held.size
  }

  /** Resets all connections; new ones are welcome. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy()
  }

  /** Ends all connections in an orderly way, as a balancer does that is told to stop; new ones are welcome. */
  end(): void {
    for (const socket of this.sockets) socket.end()
  }

  refuse(): void {
    this.mode = 'refuse'
    this.cut()
  }

  swallowAnswers(): void {
    this.mode = 'swallow answers'
  }

  /** Also what is connected already falls silent, with no word to either side. */
  blackHole(): void {
    this.mode = 'black hole'
  }

  pass(): void {
    this.mode = 'pass'
  }

  close(): void {
    this.server.close()
    this.cut()
    for (const socket of this.held) socket.destroy()
  }

  private relay(client: Socket): void {
    if (this.mode === 'refuse') {
      client.resetAndDestroy()
      return
    }
    if (this.mode === 'black hole') {
      this.hold(client)
      return
    }
    this.connections += 1
    const server = connect(this.targetPort, '127.0.0.1')
    client.setTimeout(this.idleMs, () => client.destroy())
    this.join(client, server)
    this.join(server, client)
    client.on('data', (bytes) => {
      if (this.mode !== 'black hole') this.deliver(server, bytes)
    })
    server.on('data', (bytes) => {
      if (bytes.length >= BARE_HEADER.least && bytes.length <= BARE_HEADER.most) this.bareHeaders += 1
      if (this.mode === 'pass') this.deliver(client, bytes)
    })
  }

  private deliver(to: Socket, bytes: Buffer): void {
    if (this.delayMs === 0) to.write(bytes)
    else setTimeout(() => to.write(bytes), this.delayMs)
  }

  /** Reads and says nothing, for ever. */
  private hold(client: Socket): void {
    this.held.add(client)
    client.resume()
    client.on('error', () => undefined)
    client.on('close', () => this.held.delete(client))
  }

  /** Whatever ends one side ends the other. */
  private join(one: Socket, other: Socket): void {
    this.sockets.add(one)
    one.on('error', () => undefined)
    one.on('close', () => {
      this.sockets.delete(one)
      other.destroy()
    })
  }
}
