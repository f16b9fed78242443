import { mixed, octets, withRoom, words } from '../../columns/grow.ts'
import { IpColumn } from '../../columns/ip-column.ts'
import type { KeyColumn } from '../../columns/numbering.ts'
import { PrefixColumn } from '../../columns/prefix-column.ts'
import type { RouteProtocol } from '../../kernel/words.ts'
import type { RouteEntry } from './rows.ts'

/** What routes are told apart by. */
export type RouteKey = Pick<RouteEntry, 'destination' | 'gateway' | 'metric' | 'protocol'>

/** Keys of routes by number, in columns. */
export class RouteKeys implements KeyColumn<RouteKey> {
  readonly #destinations = new PrefixColumn()
  readonly #gateways = new IpColumn()
  #metrics = words(0)
  #protocols = octets(0)
  /** The kernel has 256 of them; all but one or two are others'. */
  readonly #protocolNames: RouteProtocol[] = []

  set(at: number, { destination, gateway, metric, protocol }: RouteKey): void {
    this.#metrics = withRoom(this.#metrics, at, words)
    this.#protocols = withRoom(this.#protocols, at, octets)
    this.#destinations.set(at, destination)
    this.#gateways.set(at, gateway)
    this.#metrics[at] = metric
    this.#protocols[at] = this.#numberOf(protocol)
  }

  #numberOf(protocol: RouteProtocol): number {
    const known = this.#protocolNames.indexOf(protocol)
    return known < 0 ? this.#protocolNames.push(protocol) - 1 : known
  }

  at(at: number): RouteKey {
    return {
      destination: this.#destinations.at(at),
      gateway: this.#gateways.get(at),
      metric: (this.#metrics[at] ?? 0) >>> 0,
      protocol: this.#protocolNames[this.#protocols[at] ?? 0] ?? 'unspec',
    }
  }

  isAt(at: number, { destination, gateway, metric, protocol }: RouteKey): boolean {
    return (
      this.#metrics[at] === (metric | 0) &&
      this.#destinations.isAt(at, destination) &&
      this.#gateways.isAt(at, gateway) &&
      this.#protocolNames[this.#protocols[at] ?? 0] === protocol
    )
  }

  hash({ destination, metric }: RouteKey): number {
    return mixed(this.#destinations.hash(destination) + metric)
  }

  hashAt(at: number): number {
    return mixed(this.#destinations.hashAt(at) + ((this.#metrics[at] ?? 0) >>> 0))
  }
}
