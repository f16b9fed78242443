import {
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import type protobuf from 'protobufjs'

import { PREFIX } from './etcd-harness.ts'
import { serviceOf } from './etcd-protocol.ts'

/** A message of etcd's, with names as in its .proto files. 64-bit numbers are texts. */
export type Message = Readonly<Record<string, unknown>>

/** What to say in the place of the truth. */
export type Lie = (request: Message, truth: Message) => Message

/** A key below PREFIX, as etcd has it. */
export const kv = (name: string, fields: Message = {}): Message => ({
  ...{ key: Buffer.from(`${PREFIX}/${name}`), value: Buffer.from('v') },
  ...{ create_revision: '5', mod_revision: '5', version: '1', lease: '0' },
  ...fields,
})

/** A service as gRPC's server wants it defined. */
function definitionOf(service: protobuf.Service): ServiceDefinition {
  const methods = service.methodsArray.map((method): [string, ServiceDefinition[string]] => {
    const [request, answer] = [method.resolvedRequestType, method.resolvedResponseType]
    if (request === null || answer === null) throw new Error(`${method.fullName} is not resolved`)
    return [
      method.name,
      {
        path: `/${service.fullName.slice(1)}/${method.name}`,
        requestStream: method.requestStream === true,
        responseStream: method.responseStream === true,
        requestSerialize: serializer(request),
        requestDeserialize: deserializer(request),
        responseSerialize: serializer(answer),
        responseDeserialize: deserializer(answer),
      },
    ]
  })
  return Object.fromEntries(methods)
}

const serializer =
  (type: protobuf.Type) =>
  (value: object): Buffer =>
    Buffer.from(type.encode(type.fromObject(value)).finish())

const deserializer =
  (type: protobuf.Type) =>
  (bytes: Buffer): object =>
    type.toObject(type.decode(bytes), { longs: String, enums: String, defaults: true, oneofs: true })

/** Answers as an etcd would that holds what it is told, but for the lies. */
export class LyingEtcd {
  /** By method, such as `Range`. */
  readonly lies = new Map<string, Lie>()
  /** Requests so far, by method. */
  readonly asked = new Map<string, number>()
  keys: readonly Message[] = []
  header: Message = { cluster_id: '7', member_id: '1', revision: '10', raft_term: '2' }
  /** Goes out on every stream that is opened, after its confirmation. */
  onOpen: (answer: (message: Message) => void) => void = () => undefined
  readonly #server = new Server()
  readonly #streams = new Set<ServerDuplexStream<Message, Message>>()
  #port = 0

  static async start(): Promise<LyingEtcd> {
    const etcd = new LyingEtcd()
    etcd.#serve()
    etcd.#port = await new Promise((resolve, reject) => {
      etcd.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port)
        else reject(error)
      })
    })
    return etcd
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** On every watch that is open. */
  tell(message: Message): void {
    for (const stream of this.#streams) stream.write({ header: this.header, ...message })
  }

  /** Ends every watch in an orderly way. */
  endStreams(): void {
    for (const stream of this.#streams) stream.end()
  }

  close(): void {
    this.#server.forceShutdown()
  }

  #serve(): void {
    const unary = (method: string, truth: (request: Message) => Message) => ({
      [method]: (call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) => {
        answer(null, this.#say(method, call.request, truth(call.request)))
      },
    })
    const service = (name: string): ServiceDefinition => definitionOf(serviceOf(name))
    this.#server.addService(service('KV'), {
      ...unary('Range', (request) => this.#range(request)),
      ...unary('Txn', () => ({ header: this.header, succeeded: true, responses: [{ response_put: {} }] })),
    })
    this.#server.addService(service('Lease'), {
      ...unary('LeaseGrant', ({ TTL }) => ({ header: this.header, ID: '4711', TTL })),
      ...unary('LeaseRevoke', () => ({ header: this.header })),
      ...unary('LeaseTimeToLive', ({ ID }) => ({ header: this.header, ID, TTL: '600', grantedTTL: '600', keys: [] })),
      LeaseKeepAlive: (stream: ServerDuplexStream<Message, Message>) => {
        stream.on('data', ({ ID }: Message) => {
          stream.write(this.#say('LeaseKeepAlive', { ID }, { header: this.header, ID, TTL: '600' }))
        })
        stream.on('end', () => {
          stream.end()
        })
      },
    })
    this.#server.addService(service('Watch'), {
      Watch: (stream: ServerDuplexStream<Message, Message>) => {
        this.#watch(stream)
      },
    })
  }

  #watch(stream: ServerDuplexStream<Message, Message>): void {
    stream.on('data', (request: Message) => {
      stream.write(this.#say('Watch', request, { header: this.header, watch_id: '0', created: true }))
      this.#streams.add(stream)
      this.onOpen((message) => stream.write({ header: this.header, ...message }))
    })
    stream.on('error', () => undefined)
    stream.on('close', () => this.#streams.delete(stream))
    stream.on('cancelled', () => this.#streams.delete(stream))
  }

  #say(method: string, request: Message, truth: Message): Message {
    this.asked.set(method, (this.asked.get(method) ?? 0) + 1)
    return this.lies.get(method)?.(request, truth) ?? truth
  }

  #range({ key, range_end, limit }: Message): Message {
    if (!Buffer.isBuffer(key) || !Buffer.isBuffer(range_end)) throw new Error('a request without keys')
    const isAsked = (asked: unknown): boolean =>
      Buffer.isBuffer(asked) &&
      (range_end.length === 0 ? asked.equals(key) : asked.compare(key) >= 0 && asked.compare(range_end) < 0)
    const all = this.keys.filter((each) => isAsked(each['key']))
    const kvs = limit === '0' ? all : all.slice(0, Number(limit))
    return { header: this.header, kvs, count: String(all.length), more: kvs.length < all.length }
  }
}
