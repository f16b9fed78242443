import { readEndpoints } from '../../config/endpoints.ts'
import type { StoreError } from '../../lease/store.ts'
import type { Random } from '../../time/clock.ts'
import type { Connection } from './connection.ts'

/** One address of etcd, checked. */
export interface EtcdAddress {
  /** Canonical, with the port: `https://10.0.0.1:2379`. Fit for logs. */
  readonly url: string
  readonly secure: boolean
}

/** @throws {ConfigError} for `--etcd-endpoints` */
export const parseEndpoints = (endpoints: readonly string[]): readonly EtcdAddress[] =>
  readEndpoints(endpoints, false).endpoints.map((url) => ({ url, secure: url.startsWith('https:') }))

/** An address with the connection to it. */
export interface Endpoint {
  readonly address: EtcdAddress
  readonly connection: Connection
}

/** How long after the last change of address connections to the others may stay: calls under way on them have ended by then. */
const SETTLED_AFTER_MS = 8_000

/**
 * The addresses of one etcd in a ring. One is in use until it fails, so that an agent holds one connection and not one to every
 * member; which one to begin with is random, so that a thousand agents spread.
 */
export class EndpointRing {
  readonly #addresses: readonly EtcdAddress[]
  readonly #connect: (address: EtcdAddress) => Connection
  readonly #connections = new Map<EtcdAddress, Connection>()
  #at: number
  #settling: NodeJS.Timeout | undefined

  constructor(addresses: readonly EtcdAddress[], connect: (address: EtcdAddress) => Connection, random: Random) {
    this.#addresses = addresses
    this.#connect = connect
    this.#at = Math.floor(random() * addresses.length)
  }

  get size(): number {
    return this.#addresses.length
  }

  /** The address in use. */
  current(): Endpoint {
    return this.#endpoint(this.#address())
  }

  /** Moves on when `failed` is still the one in use; of several calls that failed at once, one moves. */
  advance(failed: Endpoint): void {
    if (this.#address() !== failed.address || this.size === 1) return
    this.#at = (this.#at + 1) % this.#addresses.length
    clearTimeout(this.#settling)
    this.#settling = setTimeout(() => {
      this.#dropOthers()
    }, SETTLED_AFTER_MS).unref()
  }

  /** A stream that goes on at a former address begins anew at the present one: else two connections stand for as long as it does. */
  #dropOthers(): void {
    for (const [address, connection] of this.#connections)
      if (address !== this.#address()) this.drop({ address, connection })
  }

  /** Closes this connection: the next one to its address is new, with the certificates as they are then. */
  drop({ address, connection }: Endpoint): void {
    connection.close()
    if (this.#connections.get(address) === connection) this.#connections.delete(address)
  }

  /** Closes all connections. Whoever asks for an endpoint after that gets a new one. */
  disconnect(): void {
    clearTimeout(this.#settling)
    for (const connection of this.#connections.values()) connection.close()
    this.#connections.clear()
  }

  #endpoint(address: EtcdAddress): Endpoint {
    const known = this.#connections.get(address)
    const connection = known === undefined || known.isClosed ? this.#connect(address) : known
    this.#connections.set(address, connection)
    return { address, connection }
  }

  #address(): EtcdAddress {
    const address = this.#addresses[this.#at]
    if (address === undefined) throw new RangeError('a ring of no endpoints')
    return address
  }
}

/** What the last requests to one address of etcd came to. */
export interface EndpointState {
  /** Fit for logs. */
  readonly url: string
  /** Whether the last request was answered; undefined: nothing was asked there yet. */
  readonly isUp: boolean | undefined
  /** How long the last answer took, in milliseconds. */
  readonly latencyMs: number | undefined
  /** What the last request that failed failed with, and when, on the monotonic clock; it stays when later ones are answered. */
  readonly lastError: { readonly message: string; readonly atMs: number } | undefined
}

/** Told of every request, and must not throw. Whoever counts is handed in. */
export interface CallCounts {
  /** A request was answered, after so many milliseconds. */
  answered(ms: number): void
  /** An attempt at it was not. @param code of the error, of which there are few */
  failed(code: string): void
}

/** How the addresses of etcd are, as the requests that are made anyway tell it. */
export class EndpointStates {
  readonly #states = new Map<string, EndpointState>()
  readonly #counts: CallCounts | undefined

  constructor(urls: readonly string[], counts?: CallCounts) {
    for (const url of urls) this.#states.set(url, { url, isUp: undefined, latencyMs: undefined, lastError: undefined })
    this.#counts = counts
  }

  get all(): readonly EndpointState[] {
    return [...this.#states.values()]
  }

  answered(url: string, ms: number): void {
    this.#counts?.answered(ms)
    this.#change(url, { isUp: true, latencyMs: ms })
  }

  /** @param isAway whether that says something of the address, and not only of the request */
  failed(url: string, { code, message }: StoreError, isAway: boolean, nowMs: number): void {
    this.#counts?.failed(code)
    this.#change(url, { ...(isAway ? { isUp: false } : {}), lastError: { message, atMs: nowMs } })
  }

  #change(url: string, change: Partial<EndpointState>): void {
    const before = this.#states.get(url)
    if (before !== undefined) this.#states.set(url, { ...before, ...change })
  }
}
