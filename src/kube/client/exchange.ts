import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Connections, RawRequest } from './connections.ts'

/** An answer in full. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** An answer whose body goes on for as long as it takes. */
export interface OpenAnswer {
  readonly status: number
  readonly body: IncomingMessage
}

export interface Bounds {
  readonly signal: AbortSignal
  /** For so long nothing may come, in milliseconds, from the connection to the end. */
  readonly idleMs: number
  /** For so long a connection may take to be made once the address is known, in milliseconds. */
  readonly connectMs: number
}

/** Nothing came for too long. */
export class Silence extends Error {
  override readonly name = 'Silence'
}

/** The body is longer than any answer of use. */
export class Overlong extends Error {
  override readonly name = 'Overlong'
}

/** A connection that was open already had ended before it took the request: nothing has come of it. */
export class StaleConnection extends Error {
  override readonly name = 'StaleConnection'
}

/** In bytes: a page of Nodes has some megabytes at most. */
const LONGEST_BODY = 64 * 1_024 * 1_024
/** Of what is taken as it comes, in bytes. */
const LONGEST_TAKEN = 1_024 * 1_024 * 1_024
const ABORTED = 'aborted'

/** Takes the body of a success as it comes; then none is in the answer. */
export interface PieceReader {
  push(piece: Buffer): void
}

/**
 * Sends a request and waits for all of its answer.
 * @throws {Silence | Overlong | StaleConnection}, or Node's own errors
 */
export function exchange(
  connections: Connections,
  raw: RawRequest,
  bounds: Bounds,
  pieces?: PieceReader,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const waiting = new Waiting(bounds, reject)
    const request = connections.begin(raw, (answer) => {
      const { statusCode: status = 0, headers } = answer
      const chunks: Buffer[] = []
      const isTaken = pieces !== undefined && status >= 200 && status <= 299
      let length = 0
      waiting.hears()
      answer.on('data', (chunk: Buffer) => {
        waiting.hears()
        if (isTaken) pieces.push(chunk)
        else chunks.push(chunk)
        length += chunk.length
        if (length > (isTaken ? LONGEST_TAKEN : LONGEST_BODY)) waiting.fails(new Overlong('the answer has no end'))
      })
      answer.on('error', (error) => {
        waiting.fails(error)
      })
      answer.on('close', () => {
        waiting.ends()
        if (answer.complete) resolve({ status, headers, body: Buffer.concat(chunks) })
        else reject(new Error('the answer broke off'))
      })
    })
    waiting.of(request, connections.isAddress)
  })
}

/**
 * Sends a request and waits for the head of its answer; whoever gets that reads the body, or destroys it.
 * @throws {Silence | StaleConnection}, or Node's own errors
 */
export function open(connections: Connections, raw: RawRequest, bounds: Bounds): Promise<OpenAnswer> {
  return new Promise((resolve, reject) => {
    const waiting = new Waiting(bounds, reject)
    const request = connections.begin(raw, (body) => {
      waiting.ends()
      resolve({ status: body.statusCode ?? 0, body })
    })
    waiting.of(request, connections.isAddress)
  })
}

/** The wait for one answer: until it comes, until it is silent for too long, or until the caller has no use for it. */
class Waiting {
  readonly #bounds: Bounds
  readonly #reject: (error: Error) => void
  readonly #timer: NodeJS.Timeout
  readonly #abort = (): void => {
    this.fails(new Error(ABORTED))
  }
  #request: ClientRequest | undefined

  constructor(bounds: Bounds, reject: (error: Error) => void) {
    this.#bounds = bounds
    this.#reject = reject
    this.#timer = setTimeout(() => {
      this.fails(new Silence('no answer'))
    }, bounds.idleMs)
    bounds.signal.addEventListener('abort', this.#abort)
  }

  /** @param isAddress whether the host is an address, and no name to look up */
  of(request: ClientRequest, isAddress: boolean): void {
    this.#request = request
    request.on('error', (error) => {
      const isEnded = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
      this.fails(request.reusedSocket && isEnded ? new StaleConnection(error.message) : error)
    })
    request.on('socket', (socket) => {
      if (socket.connecting) this.#connects(socket, isAddress)
    })
    if (this.#bounds.signal.aborted) this.#abort()
  }

  /** A name is looked up first: where the first of several name servers is dead, that alone takes five seconds (resolv.conf(5), timeout). */
  #connects(socket: Socket, isAddress: boolean): void {
    let timer: NodeJS.Timeout | undefined
    const begins = (): void => {
      timer ??= setTimeout(() => {
        this.fails(new Silence('no connection'))
      }, this.#bounds.connectMs)
    }
    const done = (): void => {
      clearTimeout(timer)
    }
    if (isAddress) begins()
    else socket.once('lookup', begins)
    socket.once('connect', done)
    socket.once('close', done)
  }

  hears(): void {
    this.#timer.refresh()
  }

  ends(): void {
    clearTimeout(this.#timer)
    this.#bounds.signal.removeEventListener('abort', this.#abort)
  }

  fails(error: Error): void {
    this.ends()
    this.#reject(error)
    this.#request?.destroy()
  }
}
