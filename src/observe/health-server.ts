import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** An answer to whoever asks how we are. */
export interface HealthAnswer {
  readonly ok: boolean
  readonly body: Readonly<Record<string, unknown>>
}

/** Port: how the agent is. Asked for every request; must be cheap. */
export interface Health {
  /** Whether a restart would help. */
  liveness(): HealthAnswer
  /** Whether containers can be started here. */
  readiness(): HealthAnswer
}

export interface HealthServerOptions {
  readonly ip: string
  readonly port: number
  readonly health: Health
  /** Called when it listens, and each time that it cannot, with the reason and its cure. Must not throw. */
  readonly onListening: () => void
  readonly onFailure: (reason: string) => void
  /** Between attempts to listen, in milliseconds. */
  readonly retryMs?: number
  /** How long anybody may take over a request, or over reading the answer, in milliseconds. */
  readonly deadlineMs?: number
}

const RETRY_MS = 5_000
const DEADLINE_MS = 5_000
/** Probes come one at a time; a flood must not use up our file descriptors. Whoever has been connected for longest makes room. */
const MOST_CONNECTIONS = 64
/** A probe's request is a tenth of this, in octets. */
const MOST_HEADER_OCTETS = 8_192
const NO_STORE = { 'content-type': 'application/json', 'cache-control': 'no-store', connection: 'close' } as const

const CURES: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'another program listens there: end it, or choose another --healthz-port'],
  ['EADDRNOTAVAIL', 'no interface has this address: correct --healthz-ip, or give it to one'],
  ['EACCES', 'ports below 1024 need CAP_NET_BIND_SERVICE: choose another --healthz-port'],
])

/**
 * Serves `/healthz` and `/readyz`: 200 or 503, with the reasons as JSON. Never keeps the process from ending, and the agent goes on
 * without it: while it cannot listen it tries again.
 */
export class HealthServer {
  readonly #options: HealthServerOptions
  readonly #server: Server
  /** In the order they came. */
  readonly #sockets = new Set<Socket>()
  #retry: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: HealthServerOptions) {
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS
    this.#options = options
    this.#server = createServer(
      {
        maxHeaderSize: MOST_HEADER_OCTETS,
        headersTimeout: deadlineMs,
        requestTimeout: deadlineMs,
        keepAliveTimeout: deadlineMs,
        connectionsCheckingInterval: deadlineMs / 2,
      },
      (request, response) => {
        this.#answer(request, response)
      },
    )
    this.#server.setTimeout(deadlineMs)
    this.#server.on('connection', (socket) => {
      this.#admit(socket.unref())
    })
    this.#server.on('error', (error) => {
      this.#failed(error)
    })
    this.#server.unref()
    this.#listen()
  }

  /** Where it listens; undefined while it does not. */
  get port(): number | undefined {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : undefined
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#retry)
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** Idle connections must not keep probes out, or whoever opens them could have the node drained. */
  #admit(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    if (this.#sockets.size <= MOST_CONNECTIONS) return
    const [oldest] = this.#sockets
    oldest?.destroy()
  }

  #listen(): void {
    const { ip, port, onListening } = this.#options
    if (!this.#isClosed) this.#server.listen({ host: ip, port, backlog: MOST_CONNECTIONS }, onListening)
  }

  #failed(error: Error): void {
    const { ip, port, onFailure, retryMs = RETRY_MS } = this.#options
    const code = 'code' in error ? String(error.code) : error.message
    onFailure(`cannot listen on ${ip} port ${port}: ${CURES.get(code) ?? error.message}`)
    if (this.#server.listening || this.#isClosed) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.#listen()
    }, retryMs).unref()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { health } = this.#options
    const path = request.url?.split('?')[0]
    const ask =
      path === '/healthz' ? () => health.liveness() : path === '/readyz' ? () => health.readiness() : undefined
    if (ask === undefined) send(request, response, 404, { error: 'there are /healthz and /readyz' })
    else if (request.method !== 'GET' && request.method !== 'HEAD')
      send(request, response.setHeader('allow', 'GET, HEAD'), 405, { error: 'ask with GET' })
    else {
      const { ok, body } = ask()
      send(request, response, ok ? 200 : 503, body)
    }
  }
}

/** Whatever else the request brings along is not read. */
function send(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, { ...NO_STORE, 'content-length': Buffer.byteLength(text) })
  response.end(request.method === 'HEAD' ? undefined : text)
}
