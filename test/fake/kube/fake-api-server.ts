import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { isObject } from '../../../src/config/json.ts'
import { FakeNodes, type NodeEvent, type NodeObject } from './fake-nodes.ts'

/** How it misbehaves. What is not set does not. */
export interface Faults {
  /** Answers so instead; `onlyVerb`: only this one. */
  readonly refuse?:
    | {
        readonly status: number
        readonly message?: string
        readonly retryAfterSeconds?: number
        readonly onlyVerb?: Verb
      }
    | undefined
  /** Takes requests and never answers. */
  readonly hangs?: boolean
  /** Before every answer, in milliseconds. */
  readonly delayMs?: number
  /** Watches are opened, and hear nothing. */
  readonly silentWatches?: boolean
  /** Watches end as soon as they are open. */
  readonly endsWatches?: boolean
}

export type Verb = 'get' | 'list' | 'watch' | 'patch' | 'create' | 'delete'

/** A request as it came. */
export interface SeenRequest {
  readonly verb: Verb
  readonly path: string
  readonly authorization: string | undefined
  readonly body: string
}

export interface FakeApiServerOptions {
  readonly host?: string
  readonly port?: number
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer; readonly ca?: string | Buffer }
  /** Others are answered by 401; undefined: nobody is asked for one. */
  readonly tokens?: readonly string[]
}

const NODES = '/api/v1/nodes'
const REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'

/** What of an API server of Kubernetes concerns Nodes, with faults at will. */
export class FakeApiServer {
  readonly nodes = new FakeNodes()
  readonly requests: SeenRequest[] = []
  /** Pods on Nodes, by `namespace/name`. */
  readonly pods = new Map<string, string>()
  /** Rights that nobody has, as reviews tell: `patch nodes/status`. */
  readonly withheld = new Set<string>()
  faults: Faults = {}
  tokens: readonly string[] | undefined
  readonly #server: Server
  readonly #isTls: boolean
  readonly #options: FakeApiServerOptions
  readonly #sockets = new Set<Socket>()
  readonly #watches = new Set<ServerResponse>()
  #port: number

  constructor(options: FakeApiServerOptions = {}) {
    this.#options = options
    this.tokens = options.tokens
    this.#port = options.port ?? 0
    this.#isTls = options.tls !== undefined
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#handle(request, response)
    }
    this.#server =
      options.tls === undefined
        ? createHttpServer(handle)
        : createHttpsServer(
            { ...options.tls, ...(options.tls.ca && { requestCert: true, rejectUnauthorized: false }) },
            handle,
          )
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => undefined)
    })
    this.nodes.onEvent((event) => {
      if (this.faults.silentWatches !== true) for (const watch of this.#watches) watch.write(lineOf(event))
    })
  }

  get url(): string {
    const { host = '127.0.0.1' } = this.#options
    return `${this.#isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${this.#port}`
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#watches.size
  }

  /** At the same port again after {@link stop}. */
  async start(): Promise<this> {
    const { host = '127.0.0.1' } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, host, resolve)
    })
    const address: AddressInfo | string | null = this.#server.address()
    if (typeof address === 'object' && address !== null) this.#port = address.port
    return this
  }

  /** Every connection breaks, and nobody listens. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve()
      })
    })
    this.cut()
    await closed
  }

  /** Every connection breaks. */
  cut(): void {
    this.#watches.clear()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** All watches end in order, as they do with their time. */
  endWatches(): void {
    for (const watch of this.#watches) watch.end()
    this.#watches.clear()
  }

  /** All watches hear an error, and end. */
  failWatches(code: number, message: string): void {
    const object = { kind: 'Status', status: 'Failure', message, code }
    for (const watch of this.#watches) watch.end(`${JSON.stringify({ type: 'ERROR', object })}\n`)
    this.#watches.clear()
  }

  bookmark(): void {
    const object = { kind: 'Node', apiVersion: 'v1', metadata: { resourceVersion: String(this.nodes.revision) } }
    for (const watch of this.#watches) watch.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const url = new URL(request.url ?? '/', 'http://fake')
    const verb = verbOf(request.method ?? 'GET', url)
    const { authorization } = request.headers
    this.requests.push({ verb, path: `${url.pathname}${url.search}`, authorization, body })
    const { refuse, hangs, delayMs = 0 } = this.faults
    if (hangs === true) return
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
    if (this.tokens !== undefined && !this.tokens.some((token) => authorization === `Bearer ${token}`))
      fail(response, 401, 'Unauthorized')
    else if (refuse !== undefined && (refuse.onlyVerb ?? verb) === verb)
      fail(response, refuse.status, refuse.message ?? wordsOf(refuse.status, verb), refuse.retryAfterSeconds)
    else this.#answer(verb, url, body, response)
  }

  #answer(verb: Verb, url: URL, body: string, response: ServerResponse): void {
    const [, namespace, pod] = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)$/.exec(url.pathname) ?? []
    const [, name = ''] = /^\/api\/v1\/nodes\/([^/]+)(?:\/status)?$/.exec(url.pathname) ?? []
    if (pod !== undefined) {
      const node = this.pods.get(`${namespace ?? ''}/${pod}`)
      if (node === undefined) fail(response, 404, `pods "${pod}" not found`)
      else send(response, 200, { kind: 'Pod', apiVersion: 'v1', metadata: { name: pod }, spec: { nodeName: node } })
    } else if (url.pathname === REVIEWS) send(response, 201, this.#review(body))
    else if (url.pathname === NODES) this.#collection(verb, url, body, response)
    else if (name !== '') this.#one(verb, name, body, response)
    else fail(response, 404, 'the server could not find the requested resource')
  }

  #review(body: string): object {
    const asked = rightIn(JSON.parse(body))
    return { kind: 'SelfSubjectAccessReview', status: { allowed: !this.withheld.has(asked) } }
  }

  #one(verb: Verb, name: string, body: string, response: ServerResponse): void {
    if (verb === 'delete') {
      if (this.nodes.delete(name)) send(response, 200, { kind: 'Status', status: 'Success' })
      else fail(response, 404, `nodes "${name}" not found`)
      return
    }
    const patch: unknown = verb === 'patch' ? JSON.parse(body) : undefined
    const node = isObject(patch) ? this.nodes.patch(name, patch) : this.nodes.get(name)
    if (node === undefined) fail(response, 404, `nodes "${name}" not found`)
    else send(response, 200, wholeOf(node))
  }

  #collection(verb: Verb, url: URL, body: string, response: ServerResponse): void {
    if (verb === 'watch') this.#watch(url, response)
    else if (verb === 'create') {
      const made: unknown = JSON.parse(body)
      const { metadata, spec } = readMade(made)
      send(response, 201, wholeOf(this.nodes.put(metadata.name, { ...spec, annotations: metadata.annotations })))
    } else this.#list(url, response)
  }

  #list({ searchParams }: URL, response: ServerResponse): void {
    const limit = Number(searchParams.get('limit') ?? '0')
    const [from = 0, revision = this.nodes.revision] = (searchParams.get('continue') ?? '')
      .split('@')
      .filter(Boolean)
      .map(Number)
    if (revision < this.nodes.compactedTo) {
      fail(response, 410, 'The provided continue parameter is too old to display a consistent list result')
      return
    }
    const all = this.nodes.all()
    const end = limit === 0 ? all.length : from + limit
    const rest = end < all.length ? { continue: `${end}@${revision}`, remainingItemCount: all.length - end } : {}
    const metadata = { resourceVersion: String(revision), ...rest }
    send(response, 200, { kind: 'NodeList', apiVersion: 'v1', metadata, items: all.slice(from, end) })
  }

  #watch({ searchParams }: URL, response: ServerResponse): void {
    const from = Number(searchParams.get('resourceVersion') ?? '0')
    if (from < this.nodes.compactedTo) {
      fail(response, 410, `too old resource version: ${from} (${this.nodes.compactedTo})`)
      return
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    if (this.faults.endsWatches === true) {
      response.end()
      return
    }
    this.#watches.add(response)
    response.on('close', () => this.#watches.delete(response))
    if (this.faults.silentWatches !== true)
      for (const event of this.nodes.eventsAfter(from)) response.write(lineOf(event))
    const seconds = Number(searchParams.get('timeoutSeconds') ?? '0')
    if (seconds > 0) setTimeout(() => response.end(), seconds * 1_000).unref()
  }
}

const wholeOf = (node: NodeObject): object => ({ kind: 'Node', apiVersion: 'v1', ...node })

const lineOf = ({ type, object }: NodeEvent): string => `${JSON.stringify({ type, object: wholeOf(object) })}\n`

function verbOf(method: string, { pathname, searchParams }: URL): Verb {
  if (method === 'PATCH') return 'patch'
  if (method === 'POST') return 'create'
  if (method === 'DELETE') return 'delete'
  if (pathname !== NODES) return 'get'
  return searchParams.has('watch') ? 'watch' : 'list'
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

/** As RBAC has it, where a right is missing. */
const wordsOf = (status: number, verb: Verb): string =>
  status === 403 ? `User "agent" cannot ${verb} resource "nodes": a fault of this test` : 'a fault of this test'

function fail(response: ServerResponse, code: number, message: string, retryAfterSeconds?: number): void {
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', String(retryAfterSeconds))
  const [, name] = code === 404 ? (/^\w+ "(.+)" not found$/.exec(message) ?? []) : []
  const details = name === undefined ? {} : { name }
  const status = { status: 'Failure', message, reason: REASONS[code], details, code }
  send(response, code, { kind: 'Status', apiVersion: 'v1', ...status })
}

/** `reason` of a Status (Kubernetes API, meta/v1 StatusReason). */
const REASONS: Readonly<Record<number, string>> = {
  ...{ 401: 'Unauthorized', 403: 'Forbidden', 404: 'NotFound', 410: 'Expired', 422: 'Invalid' },
  ...{ 429: 'TooManyRequests', 500: 'InternalError', 503: 'ServiceUnavailable' },
}

/** What is asked for: `patch nodes/status`. */
function rightIn(value: unknown): string {
  const spec = isObject(value) && isObject(value['spec']) ? value['spec'] : {}
  const asked = isObject(spec['resourceAttributes']) ? spec['resourceAttributes'] : {}
  const [verb = '', resource = '', part = ''] = ['verb', 'resource', 'subresource'].map((name) => {
    const text = asked[name]
    return typeof text === 'string' ? text : ''
  })
  return [`${verb} ${resource}`, part].filter(Boolean).join('/')
}

interface Made {
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> }
  readonly spec: { readonly podCIDRs: readonly string[] }
}

/** What was posted, as far as it is read here. */
function readMade(value: unknown): Made {
  const metadata = isObject(value) && isObject(value['metadata']) ? value['metadata'] : {}
  const spec = isObject(value) && isObject(value['spec']) ? value['spec'] : {}
  const annotations = isObject(metadata['annotations']) ? metadata['annotations'] : {}
  const podCIDRs = Array.isArray(spec['podCIDRs']) ? spec['podCIDRs'].map(String) : []
  return {
    metadata: {
      name: String(metadata['name']),
      annotations: Object.fromEntries(Object.entries(annotations).map(([key, text]) => [key, String(text)])),
    },
    spec: { podCIDRs },
  }
}
