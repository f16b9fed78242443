import { withRoom, words } from '../columns/grow.ts'
import { IpColumn } from '../columns/ip-column.ts'
import { KeyNumbers } from '../columns/key-numbers.ts'
import { MacColumn } from '../columns/mac-column.ts'
import { PrefixColumn } from '../columns/prefix-column.ts'
import { ROUTE_PROTOCOL } from '../kernel/marks.ts'
import { sameIp, type Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { PeerEntries, RouteEntry } from './entries.ts'

/** What there is to know of a peer that has a VTEP of its own: all its rows follow. */
interface Tunnelled {
  readonly destination: Prefix
  readonly mac: Mac
  readonly remote: Ip
  readonly metric: number
}

const rowsOf = ({ destination, mac, remote, metric }: Tunnelled): PeerEntries => {
  const gateway = destination.base
  return {
    onUnderlay: [],
    onDevice: {
      neighbours: [{ ip: gateway, mac }],
      fdb: [{ mac, remote }],
      routes: [{ destination, gateway, metric, protocol: ROUTE_PROTOCOL, onlink: true }],
    },
  }
}

/** Undefined: it needs something else than {@link rowsOf} makes. */
function asTunnelled({ onDevice: { neighbours, fdb, routes }, onUnderlay }: PeerEntries): Tunnelled | undefined {
  if (onUnderlay.length + neighbours.length + fdb.length + routes.length !== 3) return undefined
  const [[neighbour], [entry], [route]] = [neighbours, fdb, routes]
  if (neighbour === undefined || entry === undefined || route === undefined) return undefined
  const isUsual =
    isUsualRoute(route) &&
    sameIp(neighbour.ip, route.destination.base) &&
    neighbour.mac === entry.mac &&
    entry.astray === undefined
  return isUsual
    ? { destination: route.destination, mac: entry.mac, remote: entry.remote, metric: route.metric }
    : undefined
}

const isUsualRoute = ({ destination, gateway, protocol, onlink, alterations }: RouteEntry): boolean =>
  gateway !== undefined &&
  sameIp(gateway, destination.base) &&
  protocol === ROUTE_PROTOCOL &&
  onlink &&
  alterations === undefined

/**
 * What each peer needs, by its key, in columns: some twenty octets beside the key for one behind a VTEP, which nearly all are. What others
 * need is kept as it is. Entries are objects only while somebody holds them.
 */
export class PeerColumns {
  readonly #numbers = new KeyNumbers()
  readonly #subnets = new PrefixColumn()
  readonly #macs = new MacColumn()
  readonly #remotes = new IpColumn()
  #metrics = words(0)
  readonly #others = new Map<number, PeerEntries>()

  get size(): number {
    return this.#numbers.size
  }

  get(peer: string): PeerEntries | undefined {
    const at = this.#numbers.find(peer)
    return at === undefined ? undefined : this.#read(at)
  }

  set(peer: string, entries: PeerEntries): void {
    const at = this.#numbers.add(peer)
    const tunnelled = asTunnelled(entries)
    if (tunnelled === undefined) this.#others.set(at, entries)
    else {
      this.#others.delete(at)
      this.#write(at, tunnelled)
    }
  }

  delete(peer: string): void {
    const at = this.#numbers.delete(peer)
    if (at !== undefined) this.#others.delete(at)
  }

  /** May be read on while what is there is set anew. */
  *[Symbol.iterator](): Generator<readonly [peer: string, entries: PeerEntries]> {
    for (const [peer, at] of this.#numbers) yield [peer, this.#read(at)]
  }

  #read(at: number): PeerEntries {
    return (
      this.#others.get(at) ??
      rowsOf({
        destination: this.#subnets.at(at),
        mac: this.#macs.get(at),
        remote: this.#remotes.at(at),
        metric: (this.#metrics[at] ?? 0) >>> 0,
      })
    )
  }

  #write(at: number, { destination, mac, remote, metric }: Tunnelled): void {
    this.#metrics = withRoom(this.#metrics, at, words)
    this.#subnets.set(at, destination)
    this.#macs.set(at, mac)
    this.#remotes.set(at, remote)
    this.#metrics[at] = metric
  }
}
