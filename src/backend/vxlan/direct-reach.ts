import type { Ip } from '../../net/ip.ts'
import { prefixOf } from '../../net/prefix.ts'
import { NO_ROWS, type PeerEntries } from '../../reconcile/entries.ts'
import type { RouteState } from '../../kernel/kernel.ts'
import { ROUTE_PROTOCOL } from '../../kernel/marks.ts'

/**
 * Who is reached over the underlay's link without a gateway, by the routes of the main table (rules that choose other tables are not
 * looked at). Routes of our own making say nothing: they lead to containers. Costs one look per prefix length in use.
 */
export class DirectReach {
  readonly #linkIndex: number
  /** The best route to each prefix, by length and base; longest first. */
  readonly #byLength: readonly (readonly [length: number, best: ReadonlyMap<string, RouteState>])[]

  /** @param routes of one family */
  constructor(routes: readonly RouteState[], linkIndex: number) {
    this.#linkIndex = linkIndex
    const lengths = new Map<number, Map<string, RouteState>>()
    for (const route of routes) {
      if (route.protocol === ROUTE_PROTOCOL) continue
      const { base, length } = route.destination
      const best = lengths.get(length) ?? new Map<string, RouteState>()
      const known = best.get(base.text)
      if (known === undefined || route.metric < known.metric) best.set(base.text, route)
      lengths.set(length, best)
    }
    this.#byLength = [...lengths].sort(([a], [b]) => b - a)
  }

  reaches(address: Ip): boolean {
    for (const [length, best] of this.#byLength) {
      const route = best.get(prefixOf(address, length).base.text)
      if (route !== undefined)
        return route.type === 'unicast' && route.gateway === undefined && route.linkIndex === this.#linkIndex
    }
    return false
  }
}

/** What a peer needs when its tunnel end point is reached without a gateway: the same routes, through that address itself. */
export function directEntries(tunnelled: PeerEntries, reach: DirectReach): PeerEntries {
  const {
    routes,
    fdb: [fdb],
  } = tunnelled.onDevice
  if (fdb === undefined || !reach.reaches(fdb.remote)) return tunnelled
  const onUnderlay = routes.map((route) => ({ ...route, gateway: fdb.remote, onlink: false }))
  return { onDevice: NO_ROWS, onUnderlay }
}
