import { once } from 'node:events'
import {
  connect,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'

import { FrameReader } from './grpc-frames.ts'

/** One call as it went over the wire. */
export interface WireCall {
  /** Such as `/etcdserverpb.KV/Range`. */
  readonly path: string
  /** Messages as they were sent. */
  readonly requests: Buffer[]
  readonly answers: Buffer[]
}

/** Called before a request is passed on, and waited for. */
export type Gate = (call: WireCall, request: Buffer) => Promise<void> | void

/** Relays HTTP/2 to an etcd on loopback, and keeps every gRPC message that went either way. */
export class WireRelay {
  readonly calls: WireCall[] = []
  gate: Gate = () => undefined
  readonly #server: Http2Server
  readonly #target: string
  readonly #sessions = new Set<Http2Session>()

  private constructor(targetPort: number) {
    this.#target = `http://127.0.0.1:${targetPort}`
    this.#server = createServer({ maxSessionMemory: 1_000 })
    this.#server.on('session', (session) => {
      this.#join(session)
    })
  }

  static async start(targetPort: number): Promise<WireRelay> {
    const relay = new WireRelay(targetPort)
    relay.#server.listen(0, '127.0.0.1')
    await once(relay.#server, 'listening')
    return relay
  }

  get endpoint(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the relay is not listening')
    return `http://127.0.0.1:${address.port}`
  }

  /** Bytes of all messages that came from etcd. */
  get received(): number {
    return this.calls.flatMap(({ answers }) => answers).reduce((sum, { length }) => sum + length, 0)
  }

  /** Requests to a method, such as `Range`. */
  requestsTo(method: string): readonly Buffer[] {
    return this.calls.flatMap(({ path, requests }) => (path.endsWith(`/${method}`) ? requests : []))
  }

  /** Breaks every connection; new ones are welcome. */
  cut(): void {
    for (const session of this.#sessions) session.destroy()
  }

  close(): void {
    this.#server.close()
    this.cut()
  }

  /** One connection to etcd for each of the client's. */
  #join(session: Http2Session): void {
    const upstream = connect(this.#target, { maxSessionMemory: 1_000 })
    for (const [one, other] of [
      [session, upstream],
      [upstream, session],
    ] as const) {
      this.#sessions.add(one)
      one.on('error', () => undefined)
      one.on('close', () => {
        this.#sessions.delete(one)
        other.destroy()
      })
    }
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      this.#relay(stream, headers, upstream)
    })
  }

  #relay(client: ServerHttp2Stream, headers: IncomingHttpHeaders, upstream: ClientHttp2Session): void {
    const call = { path: headers[':path'] ?? '', requests: new Array<Buffer>(), answers: new Array<Buffer>() }
    this.calls.push(call)
    const server = upstream.request(headers, { endStream: false })
    client.on('error', () => undefined)
    server.on('error', () => undefined)
    client.on('close', () => {
      server.close(client.rstCode)
    })
    server.on('close', () => {
      if (server.rstCode !== 0) client.close(server.rstCode) // else what came before is still on its way
    })
    void this.#passRequests(call, client, server)
    passAnswers(call, client, server)
  }

  async #passRequests(call: WireCall, client: ServerHttp2Stream, server: ClientHttp2Stream): Promise<void> {
    try {
      for await (const { frame, message } of new FrameReader(client)) {
        call.requests.push(message)
        await this.gate(call, message)
        if (!server.destroyed) server.write(frame)
      }
      if (!server.destroyed) server.end()
    } catch {
      server.close() // the client has gone
    }
  }
}

function passAnswers(call: WireCall, client: ServerHttp2Stream, server: ClientHttp2Stream): void {
  let trailers: IncomingHttpHeaders = {}
  server.on('response', (headers, flags) => {
    if (client.destroyed) return
    const isAll = (flags & END_STREAM) !== 0
    client.respond(headers, isAll ? { endStream: true } : { waitForTrailers: true })
  })
  server.on('trailers', (received: IncomingHttpHeaders) => {
    trailers = received
  })
  client.on('wantTrailers', () => {
    client.sendTrailers(trailers)
  })
  const pass = async (): Promise<void> => {
    for await (const { frame, message } of new FrameReader(server)) {
      call.answers.push(message)
      if (!client.destroyed) client.write(frame)
    }
    if (!client.destroyed) client.end()
  }
  pass().catch(() => {
    client.close()
  })
}

/** RFC 9113 §6.1. */
const END_STREAM = 0x1
