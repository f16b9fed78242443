import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { StoreError } from '../../lease/store.ts'
import type { Clock } from '../../time/clock.ts'
import { Connections, type RawRequest } from './connections.ts'
import type { CredentialFiles } from './credentials.ts'
import { abortedByCaller, broken, closed, refused, silent, unanswered, type Operation } from './errors.ts'
import {
  exchange,
  open,
  Overlong,
  Silence,
  StaleConnection,
  type Answer,
  type Bounds,
  type PieceReader,
} from './exchange.ts'

/** Told of every request: plain numbers. */
export interface RequestCounts {
  answered(ms: number): void
  failed(error: StoreError): void
}

export interface KubeClientPorts {
  readonly clock: Clock
  readonly credentials: CredentialFiles
  readonly counts?: RequestCounts | undefined
  /** Nothing may come for so long, in milliseconds. */
  readonly idleMs?: number
  /** A connection takes no longer, in milliseconds. */
  readonly connectMs?: number
}

export interface Request {
  readonly method: 'GET' | 'PATCH' | 'POST'
  /** With its query. */
  readonly path: string
  /** Sent as JSON: what is to be merged, with PATCH; else as it is. */
  readonly sent?: object
}

const IDLE_MS = 15_000
const CONNECT_MS = 3_000
/** What a server asks us to wait at most, in milliseconds: nobody should be able to keep us away for longer. */
const MOST_WAIT_MS = 30_000
/** How often one call asks again because of that. */
const MOST_WAITS = 3
const JSON_TYPE = 'application/json'
/** Lists in the place of map keys are merged by their own keys: those of conditions are their types. */
const PATCH_TYPE = 'application/strategic-merge-patch+json'
const USER_AGENT = 'flannel-agent'

/**
 * Asks an API server of Kubernetes, over HTTP/1.1: one request, one answer as data or a {@link StoreError}. Tokens and certificates that are
 * replaced are taken up; `429` and `Retry-After` are followed by all requests together.
 */
export class KubeClient {
  readonly #clock: Clock
  readonly #credentials: CredentialFiles
  readonly #counts: RequestCounts | undefined
  readonly #bounds: Omit<Bounds, 'signal'>
  #connections: Connections | undefined
  /** No request before this, on the monotonic clock. */
  #notBeforeMs = Number.NEGATIVE_INFINITY
  #isClosed = false
  /** Bodies that go on. */
  readonly #followings = new Set<IncomingMessage>()

  constructor({ clock, credentials, counts, idleMs = IDLE_MS, connectMs = CONNECT_MS }: KubeClientPorts) {
    this.#clock = clock
    this.#credentials = credentials
    this.#counts = counts
    this.#bounds = { idleMs, connectMs }
  }

  /** @returns the JSON of the answer @throws {StoreError} */
  async ask(operation: Operation, request: Request, signal: AbortSignal): Promise<unknown> {
    const body = await this.askBytes(operation, request, signal)
    try {
      const value: unknown = JSON.parse(body.toString())
      return value
    } catch {
      throw broken(operation, this.url, 'the answer is no JSON: is this an API server of Kubernetes?')
    }
  }

  /** @returns the answer as it came @throws {StoreError} */
  askBytes(operation: Operation, request: Request, signal: AbortSignal): Promise<Buffer> {
    return this.#counted(async () => {
      const { status, body } = await this.#answer(operation, request, signal)
      if (status < 200 || status > 299) throw refused(operation, this.url, status, body.toString())
      return body
    })
  }

  /**
   * The answer is read as it comes.
   * @param makeReader called for each attempt
   * @returns the reader that has taken all of it
   * @throws {StoreError}
   */
  askPieces<R extends PieceReader>(
    operation: Operation,
    request: Request,
    makeReader: () => R,
    signal: AbortSignal,
  ): Promise<R> {
    return this.#counted(async () => {
      let reader = makeReader()
      const { status, body } = await this.#answer(operation, request, signal, () => (reader = makeReader()))
      if (status < 200 || status > 299) throw refused(operation, this.url, status, body.toString())
      return reader
    })
  }

  /** A body that goes on, as of a watch; on a connection of its own. @throws {StoreError} */
  open(operation: Operation, path: string, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#counted(async () => {
      const raw = rawOf({ method: 'GET', path }, true)
      const bounds = { ...this.#bounds, signal }
      for (let isFirst = true; ; isFirst = false) {
        await this.#pause(operation, signal)
        const { status, body } = await this.#sent(operation, signal, (to) => open(to, raw, bounds))
        if (status === 200) return this.#followed(body)
        const words = await textOf(body)
        if (isFirst && this.#mayTryAgain(status, body.headers)) continue
        throw refused(operation, this.url, status, words)
      }
    })
  }

  /** @param makeReader of the body of a success, if it is not to be in the answer */
  async #answer(
    operation: Operation,
    request: Request,
    signal: AbortSignal,
    makeReader?: () => PieceReader,
  ): Promise<Answer> {
    const raw = rawOf(request, false)
    const bounds = { ...this.#bounds, signal }
    for (let waits = 0; ; waits++) {
      await this.#pause(operation, signal)
      const answer = await this.#sent(operation, signal, (to) => exchange(to, raw, bounds, makeReader?.()))
      if (waits === MOST_WAITS || !this.#mayTryAgain(answer.status, answer.headers)) return answer
    }
  }

  /** Whether there is a reason to ask again at once, or after the pause that the server has asked for. */
  #mayTryAgain(status: number, headers: IncomingHttpHeaders): boolean {
    if (status === 401) return this.#credentials.look()
    const pauseMs = status === 429 || status === 503 ? retryAfterMs(headers) : undefined
    if (pauseMs === undefined) return false
    this.#notBeforeMs = this.#clock.monotonicMs() + Math.min(pauseMs, MOST_WAIT_MS)
    return true
  }

  async #pause(operation: Operation, signal: AbortSignal): Promise<void> {
    const pauseMs = this.#notBeforeMs - this.#clock.monotonicMs()
    if (pauseMs > 0) await this.#clock.sleep(pauseMs, signal)
    if (this.#isClosed) throw closed(operation)
    if (signal.aborted) throw abortedByCaller(operation, signal.reason)
  }

  /** Sends it, once more where the connection was over before. @throws {StoreError} */
  async #sent<T>(operation: Operation, signal: AbortSignal, send: (to: Connections) => Promise<T>): Promise<T> {
    for (let isFirst = true; ; isFirst = false)
      try {
        return await send(this.#connected())
      } catch (error) {
        if (isFirst && error instanceof StaleConnection) continue
        if (error instanceof StoreError) throw error
        if (signal.aborted) throw abortedByCaller(operation, error)
        if (this.#isClosed) throw closed(operation)
        if (error instanceof Overlong) throw broken(operation, this.url, error.message)
        this.#reconnect() // certificates may have been replaced, and what is open may be dead
        const { ignoredProxy } = this.#credentials
        if (error instanceof Silence) throw silent(operation, this.url, error.message, ignoredProxy)
        throw unanswered(operation, this.url, error, ignoredProxy)
      }
  }

  #connected(): Connections {
    const credentials = this.#credentials.get()
    if (this.#connections?.credentials === credentials) return this.#connections
    this.#connections?.closeShared()
    return (this.#connections = new Connections(credentials))
  }

  /** What goes on is left: whoever reads it sees for himself whether it does. */
  #reconnect(): void {
    this.#credentials.look()
    this.#connections?.closeShared()
    this.#connections = undefined
  }

  #followed(body: IncomingMessage): IncomingMessage {
    this.#followings.add(body)
    body.on('close', () => {
      this.#followings.delete(body)
    })
    return body
  }

  async #counted<T>(call: () => Promise<T>): Promise<T> {
    const startedMs = this.#clock.monotonicMs()
    try {
      const result = await call()
      this.#counts?.answered(this.#clock.monotonicMs() - startedMs)
      return result
    } catch (error) {
      if (error instanceof StoreError && error.code !== 'ABORTED_BY_CALLER') this.#counts?.failed(error)
      throw error
    }
  }

  /** URL of the API server; empty while no credentials could be read. */
  get url(): string {
    return this.#credentials.url
  }

  /** All connections are made anew. */
  refresh(): void {
    this.#reconnect()
    for (const body of this.#followings) body.destroy(new Error('our own address has changed'))
  }

  close(): void {
    this.#isClosed = true
    this.#connections?.closeShared()
    this.#connections = undefined
    for (const body of this.#followings) body.destroy()
  }
}

function rawOf({ method, path, sent }: Request, isAlone: boolean): RawRequest {
  const headers = { accept: JSON_TYPE, 'user-agent': USER_AGENT }
  if (sent === undefined) return { method, path, headers, isAlone }
  const type = method === 'PATCH' ? PATCH_TYPE : JSON_TYPE
  return { method, path, headers: { ...headers, 'content-type': type }, body: JSON.stringify(sent), isAlone }
}

/** In milliseconds (RFC 9110 section 10.2.3; the API server says seconds); undefined: it does not say. */
function retryAfterMs(headers: IncomingHttpHeaders): number | undefined {
  const text = headers['retry-after'] ?? ''
  return /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : undefined
}

/** What stands in a body that is short, such as a Status. */
async function textOf(body: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of body) {
      text += String(chunk)
      if (text.length > LONGEST_STATUS) break
    }
  } catch {
    // what has come is enough
  }
  return text
}

/** In UTF-16 units. */
const LONGEST_STATUS = 16_384
