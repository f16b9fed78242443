import { leaseValue } from '../../fake/samples.ts'
import { ETCD_PREFIX } from '../../lab/lab.ts'
import { GrpcLine, type Fields } from './grpc-line.ts'

const DAY_S = 86_400
const SUBNETS = `${ETCD_PREFIX}/subnets/`
const CONFIG = Buffer.from(`${ETCD_PREFIX}/config`)
/** Keys of the first pages of a list, as an agent asks for them. */
const PAGES = [4, 32, 256]
const MOST = 1_000

/** So many requests is a list of that many leases. */
export function pagesOf(leases: number): number {
  let [pages, left] = [0, leases]
  do left -= PAGES[pages++] ?? MOST
  while (left > 0)
  return pages
}

const end = (prefix: string): Buffer => Buffer.from(prefix.replace(/\/$/, '0'))
const within = (prefix: string): Fields => ({ key: Buffer.from(prefix), range_end: end(prefix) })

/** What an agent is to etcd, and nothing else: it asks the same in the same order, and forgets the answers. */
export class LeaseHolder {
  readonly name: string
  /** Messages that have come on the stream of leases, its confirmation not counted. */
  events = 0
  readonly #value: string
  readonly #endpoint: string
  #line: GrpcLine
  #leaseId = '0'

  /** @param number from 0, below 40 000 */
  constructor(endpoint: string, number: number) {
    const [high, low] = [number >> 8, number & 255]
    this.#endpoint = endpoint
    this.#line = new GrpcLine(endpoint)
    this.name = `10.${100 + high}.${low}.0-24`
    this.#value = leaseValue({
      publicIp: `172.20.${high}.${low}`,
      mac: `82:02:00:00:${hex(high)}:${hex(low)}`,
      node: { id: number.toString(16).padStart(32, '0'), hostname: `node-${number}` },
    })
  }

  get #key(): Buffer {
    return Buffer.from(`${SUBNETS}${this.name}`)
  }

  /** Gets a lease, and follows what an agent follows. */
  async join(): Promise<void> {
    await this.#line.call('KV', 'Range', { key: CONFIG })
    const revision = await this.#list()
    const { ID } = await this.#line.call('Lease', 'LeaseGrant', { TTL: DAY_S })
    this.#leaseId = String(ID)
    await this.#line.call('KV', 'Txn', {
      compare: [{ key: this.#key, result: 'EQUAL', target: 'VERSION', version: 0 }],
      success: [this.#put()],
    })
    await this.#confirm(revision)
    await this.#follow()
  }

  /** Comes back after its connection broke, as an agent does that is started again: its lease stands. */
  async restart(): Promise<void> {
    this.#line.close()
    this.#line = new GrpcLine(this.#endpoint)
    await this.#line.call('KV', 'Range', { key: CONFIG })
    await this.#list()
    await this.renew()
    await this.#follow()
  }

  async renew(): Promise<void> {
    const stream = this.#line.stream('Lease', 'LeaseKeepAlive', { ID: this.#leaseId }, () => {
      stream.close()
    })
    await new Promise((resolve) => stream.once('close', resolve))
  }

  /** Asks for a sign of life. */
  async look(): Promise<void> {
    await this.#line.call('KV', 'Range', { key: CONFIG, keys_only: true })
  }

  /** Writes its lease again, which everybody hears of. */
  async rewrite(): Promise<void> {
    await this.#line.call('KV', 'Txn', { success: [this.#put()] })
  }

  close(): void {
    this.#line.close()
  }

  #put(): Fields {
    return { request_put: { key: this.#key, value: Buffer.from(this.#value), lease: this.#leaseId } }
  }

  async #list(): Promise<string> {
    let revision = '0'
    const { range_end } = within(SUBNETS)
    let { key } = within(SUBNETS)
    for (let page = 0; ; page++) {
      const answer = await this.#line.call('KV', 'Range', { key, range_end, limit: PAGES[page] ?? MOST, revision })
      revision = String((answer['header'] as Fields)['revision'])
      const keys = answer['kvs'] as readonly { readonly key: Buffer }[]
      if (answer['more'] !== true) return revision
      key = Buffer.concat([keys.at(-1)?.key ?? Buffer.alloc(0), Buffer.of(0)])
    }
  }

  /** A short watch from the list on, which tells what came before its own lease. */
  async #confirm(revision: string): Promise<void> {
    let messages = 0
    const told = new Promise<void>((resolve) => {
      const request = { create_request: { ...within(SUBNETS), start_revision: String(BigInt(revision) + 1n) } }
      const stream = this.#line.stream('Watch', 'Watch', request, () => {
        if (++messages < 2) return
        stream.close()
        resolve()
      })
    })
    await this.look()
    await told
  }

  async #follow(): Promise<void> {
    this.#watch(within(SUBNETS), () => this.events++)
    await this.look()
    for (const range of [{ key: CONFIG }, within(`${ETCD_PREFIX}/challenges/${this.name}/`)]) {
      await this.#line.call('KV', 'Range', range)
      this.#watch(range, () => undefined)
      await this.look()
    }
  }

  #watch(range: Fields, onMessage: () => void): void {
    let isOpen = false
    this.#line.stream('Watch', 'Watch', { create_request: { ...range, progress_notify: true } }, () => {
      if (isOpen) onMessage()
      isOpen = true
    })
  }
}

const hex = (byte: number): string => byte.toString(16).padStart(2, '0')
