import { Client, credentials } from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { ETCD_PREFIX } from '../lab/lab.ts'
import { leaseKey, leaseValue, type BenchPeer } from './peers.ts'

const PROTOCOL = join(dirname(createRequire(import.meta.url).resolve('etcd3/package.json')), 'proto/rpc.proto')
const root = new protobuf.Root().loadSync(PROTOCOL, { keepCase: true })

/** A message type of etcd's protocol, as protobufjs makes it of its description. */
export const messageType = (name: string): protobuf.Type => root.lookupType(`etcdserverpb.${name}`)

const encoder = (name: string): ((message: object) => Buffer) => {
  const type = messageType(name)
  return (message) => Buffer.from(type.encode(type.fromObject(message)).finish())
}

/** etcd's default for --max-txn-ops. */
const MOST_TXN_OPS = 128
const WRITTEN_AT_ONCE = 4

const asIs = (bytes: Buffer): Buffer => bytes
const encodePut = encoder('PutRequest')
const encodeTxn = encoder('TxnRequest')
const encodeDelete = encoder('DeleteRangeRequest')
const encodeRange = encoder('RangeRequest')

/** Fills an etcd, as barely as Node can speak to it: one connection, no retries, nothing read of an answer but that it came. */
export class EtcdClient {
  readonly #client: Client
  readonly #prefix: string

  /** @param endpoint such as `http://192.168.205.2:2379` @param prefix flannel's directory */
  constructor(endpoint: string, prefix = ETCD_PREFIX) {
    this.#prefix = prefix
    const options = { 'grpc.enable_http_proxy': 0, 'grpc.max_receive_message_length': 1 << 28 }
    this.#client = new Client(endpoint.replace(/^http:\/\//, ''), credentials.createInsecure(), options)
  }

  /** Writes the overlay's configuration. */
  async putConfig(config: object): Promise<void> {
    await this.#call('KV/Put', encodePut({ key: this.#key('config'), value: Buffer.from(JSON.stringify(config)) }))
  }

  async deletePeer(peer: BenchPeer): Promise<void> {
    await this.deleteLease(leaseKey(peer))
  }

  async deleteLease(name: string): Promise<void> {
    await this.#call('KV/DeleteRange', encodeDelete({ key: this.#key(`subnets/${name}`) }))
  }

  /** Puts all of them, in as few transactions as etcd allows. */
  async putPeers(peers: readonly BenchPeer[]): Promise<void> {
    const starts = Array.from({ length: Math.ceil(peers.length / MOST_TXN_OPS) }, (_, at) => at * MOST_TXN_OPS).values()
    const write = async (): Promise<void> => {
      for (const at of starts) {
        const puts = peers.slice(at, at + MOST_TXN_OPS).map((peer) => ({ request_put: this.#put(peer) }))
        await this.#call('KV/Txn', encodeTxn({ success: puts }))
      }
    }
    await Promise.all(Array.from({ length: WRITTEN_AT_ONCE }, write))
  }

  /** The bytes of etcd's answer to who asks for leases, this many at most. */
  answer(limit: number): Promise<Buffer> {
    const [key, end] = [this.#key('subnets/'), this.#key('subnets0')]
    return this.#call('KV/Range', encodeRange({ key, range_end: end, limit }))
  }

  close(): void {
    this.#client.close()
  }

  #key(name: string): Buffer {
    return Buffer.from(`${this.#prefix}/${name}`)
  }

  #put(peer: BenchPeer): { readonly key: Buffer; readonly value: Buffer } {
    return { key: this.#key(`subnets/${leaseKey(peer)}`), value: Buffer.from(leaseValue(peer)) }
  }

  #call(method: string, request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(`/etcdserverpb.${method}`, asIs, asIs, request, (error, answer) => {
        if (error) reject(new Error(`${method}: ${error.message}`))
        else resolve(answer ?? Buffer.of())
      })
    })
  }
}
