import type { Etcd3 } from 'etcd3'

import type { Random } from '../net/clock.ts'
import type { EtcdAddress } from './options.ts'

/** An address with the client that talks to it. */
export interface Endpoint {
  readonly address: EtcdAddress
  readonly client: Etcd3
}

/**
 * The addresses of one etcd in a ring. One is in use until it fails, so that an agent holds one connection and not one to every
 * member; which one to begin with is random, so that a thousand agents spread.
 */
export class EndpointRing {
  readonly #addresses: readonly EtcdAddress[]
  readonly #connect: (address: EtcdAddress) => Etcd3
  readonly #clients = new Map<EtcdAddress, Etcd3>()
  #at: number

  constructor(addresses: readonly EtcdAddress[], connect: (address: EtcdAddress) => Etcd3, random: Random) {
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
    if (this.#address() === failed.address) this.#at = (this.#at + 1) % this.#addresses.length
  }

  /** The same address with a new client, which has neither the old token nor the old certificates. */
  renew({ address, client }: Endpoint): Endpoint {
    if (this.#clients.get(address) === client) {
      client.close()
      this.#clients.delete(address)
    }
    return this.#endpoint(address)
  }

  /** Closes all connections. Whoever asks for an endpoint after that gets a new one. */
  disconnect(): void {
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
  }

  #endpoint(address: EtcdAddress): Endpoint {
    const client = this.#clients.get(address) ?? this.#connect(address)
    this.#clients.set(address, client)
    return { address, client }
  }

  #address(): EtcdAddress {
    const address = this.#addresses[this.#at]
    if (address === undefined) throw new RangeError('a ring of no endpoints')
    return address
  }
}
