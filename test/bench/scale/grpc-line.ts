import { connect, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { serviceOf } from '../../etcd/etcd-protocol.ts'

/** What stands before each message: a byte for compression, four for the length (grpc: doc/PROTOCOL-HTTP2.md). */
const PREFIX = 5

export type Fields = Readonly<Record<string, unknown>>

type Service = 'KV' | 'Lease' | 'Watch'

/** One connection to etcd, as light as can be: of what comes on streams, messages are counted and not read. */
export class GrpcLine {
  readonly #session: ClientHttp2Session

  constructor(endpoint: string) {
    this.#session = connect(endpoint)
    this.#session.on('error', () => undefined)
  }

  /** @throws {Error} when etcd refuses */
  async call(service: Service, method: string, request: Fields): Promise<Fields> {
    const stream = this.#open(service, method)
    stream.end(encode(service, method, request))
    const pieces: Buffer[] = []
    let status: string | undefined
    stream.on('response', (headers) => (status ??= headers['grpc-status'] as string | undefined))
    stream.on('trailers', (trailers: IncomingHttpHeaders) => (status ??= trailers['grpc-status'] as string | undefined))
    for await (const piece of stream) pieces.push(piece as Buffer)
    if (status !== '0') throw new Error(`${method}: grpc-status ${status}`)
    return decode(service, method, Buffer.concat(pieces).subarray(PREFIX))
  }

  /** Sends one message and leaves the stream open. @param onMessage called with each that comes, unread */
  stream(service: Service, method: string, request: Fields, onMessage: () => void): ClientHttp2Stream {
    const stream = this.#open(service, method)
    stream.write(encode(service, method, request))
    const counter = new MessageCounter(onMessage)
    stream.on('data', (piece: Buffer) => {
      counter.take(piece)
    })
    stream.on('error', () => undefined)
    return stream
  }

  close(): void {
    this.#session.destroy()
  }

  #open(service: Service, method: string): ClientHttp2Stream {
    return this.#session.request({
      ':method': 'POST',
      ':path': `/etcdserverpb.${service}/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      hasleader: 'true',
    })
  }
}

function encode(service: Service, method: string, fields: Fields): Buffer {
  const type = serviceOf(service).methods[method]?.resolvedRequestType
  if (type === null || type === undefined) throw new Error(`${method} is not known`)
  const message = type.encode(type.fromObject(fields)).finish()
  const frame = Buffer.alloc(PREFIX + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, PREFIX)
  return frame
}

function decode(service: Service, method: string, bytes: Buffer): Fields {
  const type = serviceOf(service).methods[method]?.resolvedResponseType
  if (type === null || type === undefined) throw new Error(`${method} is not known`)
  return type.toObject(type.decode(bytes), { longs: String, defaults: true })
}

/** Finds where messages begin and end in the data of a stream. */
class MessageCounter {
  readonly #onMessage: () => void
  readonly #prefix = Buffer.alloc(PREFIX)
  #prefixLength = 0
  #left = 0

  constructor(onMessage: () => void) {
    this.#onMessage = onMessage
  }

  take(piece: Buffer): void {
    for (let at = 0; at < piece.length;) {
      if (this.#prefixLength < PREFIX) {
        const copied = piece.copy(this.#prefix, this.#prefixLength, at, at + PREFIX - this.#prefixLength)
        this.#prefixLength += copied
        at += copied
        if (this.#prefixLength < PREFIX) return
        this.#left = this.#prefix.readUInt32BE(1)
      }
      const taken = Math.min(this.#left, piece.length - at)
      this.#left -= taken
      at += taken
      if (this.#left > 0) return
      this.#prefixLength = 0
      this.#onMessage()
    }
  }
}
