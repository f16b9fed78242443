import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isNamedOurs } from './host-names.ts'
import { refusal, type Answer, type Question, type Routes } from './answer.ts'
import { sendPieces } from './send-pieces.ts'

export interface HttpServerOptions {
  readonly routes: Routes
  /** Names of this host by which it may be asked over a network; undefined: whoever gets here may ask. */
  readonly ownNames?: ReadonlySet<string>
  /** How long anybody may take over a request, or may read nothing of the answer, in milliseconds. */
  readonly deadlineMs?: number
}

const DEADLINE_MS = 5_000
/** A whole answer is read by then, in milliseconds: whoever reads an octet now and then must not hold a place for ever. */
const ANSWER_MS = 60_000
/** As far as a timer of Node's can be put off, in milliseconds. */
const NEVER_MS = 2 ** 31 - 1
/** Probes come one at a time; a flood must not use up our file descriptors. Whoever has been connected for longest makes room. */
const MOST_CONNECTIONS = 64
/** Of them, those that may listen without end. */
const MOST_ENDLESS = 16
/** A probe's request is a tenth of this, in octets. */
const MOST_HEADER_OCTETS = 8_192
/** A page of others that embeds an answer learns nothing of it. */
const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  connection: 'close',
} as const

const METHODS: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'POST'])
const isMethod = (method: string | undefined): method is Question['method'] => METHODS.has(method)

/**
 * Answers by a table of routes, over whatever it is made to listen at, within bounds that nobody who asks can widen: connections, size
 * of a header, time for a request, what is kept for whoever does not read. Never keeps the process from ending.
 */
export class HttpServer {
  /** Whose `listen` and errors are the caller's business. */
  readonly server: Server
  readonly #options: HttpServerOptions
  readonly #deadlineMs: number
  /** In the order they came, each with what hangs up on it when no question comes. */
  readonly #sockets = new Map<Socket, NodeJS.Timeout>()
  #endless = 0

  constructor(options: HttpServerOptions) {
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS
    this.#options = options
    this.#deadlineMs = deadlineMs
    this.server = createServer(
      {
        maxHeaderSize: MOST_HEADER_OCTETS,
        // Node would look at all connections every so often, also when there is none: each has a timer of its own instead.
        ...{ headersTimeout: 0, requestTimeout: 0, connectionsCheckingInterval: NEVER_MS },
        keepAliveTimeout: deadlineMs,
      },
      (request, response) => {
        void this.#answer(request, response)
      },
    )
    this.server.setTimeout(deadlineMs)
    this.server.on('connection', (socket) => {
      this.#admit(socket.unref())
    })
    this.server.on('error', () => undefined) // whoever has it listen hears of that; an accept that fails is only that
    this.server.unref()
  }

  /** Listens no more, and hangs up on everybody. */
  close(): void {
    this.server.close()
    this.server.closeAllConnections()
  }

  /** Idle connections must not keep probes out, or whoever opens them could have the node drained. */
  #admit(socket: Socket): void {
    const hangUp = setTimeout(() => socket.destroy(), this.#deadlineMs).unref()
    this.#sockets.set(socket, hangUp)
    socket.once('close', () => {
      clearTimeout(hangUp)
      this.#sockets.delete(socket)
    })
    if (this.#sockets.size <= MOST_CONNECTIONS) return
    const [oldest] = this.#sockets.keys()
    oldest?.destroy()
  }

  /** Never rejects. Whatever else the request brings along is not read. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    response.on('close', () => {
      gone.abort()
    })
    response.on('error', () => undefined)
    clearTimeout(this.#sockets.get(request.socket))
    request.socket.setTimeout(0) // from here on it is we who take time; reading has deadlines of its own
    try {
      await this.#send(await this.#answerTo(request, gone.signal), request, response, gone.signal)
    } catch {
      response.destroy()
    }
  }

  async #answerTo(request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    const { routes, ownNames } = this.#options
    const { path, query } = partsOf(request.url)
    const route = routes.get(path)
    if (route === undefined) return refusal(404, `there are ${[...routes.keys()].join(', ')}`)
    const { method: wanted = 'GET', respond, isForAnyName = false } = route
    const { method } = request
    if (!isMethod(method) || (method === 'HEAD' ? 'GET' : method) !== wanted)
      return { ...refusal(405, `ask with ${wanted}`), headers: { allow: wanted === 'GET' ? 'GET, HEAD' : wanted } }
    if (ownNames !== undefined && !isForAnyName && !isNamedOurs(request.headers.host, ownNames))
      return refusal(421, 'ask by an address of this host, or by its name')
    const header = (name: string): string | undefined => {
      const value = request.headers[name]
      return typeof value === 'string' ? value : value?.join(', ')
    }
    try {
      return await respond({ method, path, query, header, signal })
    } catch (error) {
      return { ...refusal(503, error instanceof Error ? error.message : String(error)), status: 500 }
    }
  }

  async #send(answer: Answer, request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { status, type = HEADERS['content-type'], headers = {}, body, isEndless = false } = answer
    if (isEndless && this.#endless >= MOST_ENDLESS)
      return this.#send(refusal(503, `${MOST_ENDLESS} listen already`), request, response, signal)
    const all = { ...HEADERS, 'content-type': type, ...headers }
    const isHead = request.method === 'HEAD'
    if (typeof body === 'string') response.writeHead(status, { ...all, 'content-length': Buffer.byteLength(body) })
    else response.writeHead(status, all)
    if (isHead) {
      response.end()
      return
    }
    if (isEndless) this.#endless++
    try {
      const pieces = typeof body === 'string' ? [body] : body
      await sendPieces(response, pieces, {
        signal,
        stallMs: this.#deadlineMs,
        wholeMs: isEndless ? Infinity : ANSWER_MS,
      })
    } finally {
      if (isEndless) this.#endless--
    }
  }
}

function partsOf(url = ''): { readonly path: string; readonly query: URLSearchParams } {
  const at = url.indexOf('?')
  return at < 0
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, at), query: new URLSearchParams(url.slice(at + 1)) }
}
