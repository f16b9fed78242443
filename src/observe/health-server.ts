import type { Server } from 'node:http'
import { HttpServer } from '../http/server.ts'
import { json, type Route, type Routes } from '../http/answer.ts'

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
  /** What else is answered there. */
  readonly routes?: Routes
  /** Names of this host, in lower case, by which the other routes may be asked for. */
  readonly ownNames?: ReadonlySet<string>
  /** Called when it listens, and each time that it cannot, with the reason and its cure. Must not throw. */
  readonly onListening: () => void
  readonly onFailure: (reason: string) => void
  /** Between attempts to listen, in milliseconds. */
  readonly retryMs?: number
  /** How long anybody may take over a request, or over reading the answer, in milliseconds. */
  readonly deadlineMs?: number
}

const RETRY_MS = 5_000
const BACKLOG = 64

const CURES: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'another program listens there: end it, or choose another --healthz-port'],
  ['EADDRNOTAVAIL', 'no interface has this address: correct --healthz-ip, or give it to one'],
  ['EACCES', 'ports below 1024 need CAP_NET_BIND_SERVICE: choose another --healthz-port'],
])

/**
 * Serves `/healthz` and `/readyz`, 200 or 503 with the reasons as JSON, and what else it is given routes for. Never keeps the process
 * from ending, and the agent goes on without it: while it cannot listen it tries again.
 */
export class HealthServer {
  readonly #options: HealthServerOptions
  readonly #http: HttpServer
  readonly #server: Server
  #retry: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: HealthServerOptions) {
    const { health, routes = new Map<string, Route>(), ownNames = new Set<string>(), deadlineMs } = options
    this.#options = options
    const probes: Routes = new Map([
      ['/healthz', probe(() => health.liveness())],
      ['/readyz', probe(() => health.readiness())],
    ])
    this.#http = new HttpServer({
      routes: new Map([...probes, ...routes]),
      ownNames,
      ...(deadlineMs !== undefined && { deadlineMs }),
    })
    this.#server = this.#http.server
    this.#server.on('error', (error) => {
      this.#failed(error)
    })
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
    this.#http.close()
  }

  #listen(): void {
    const { ip, port, onListening } = this.#options
    if (!this.#isClosed) this.#server.listen({ host: ip, port, backlog: BACKLOG }, onListening)
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
}

/** Whoever watches over us asks by any name. */
const probe = (ask: () => HealthAnswer): Route => ({
  isForAnyName: true,
  respond: () => {
    const { ok, body } = ask()
    return json(body, ok ? 200 : 503)
  },
})
