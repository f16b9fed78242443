import type { Ip } from '../../net/ip.ts'
import { NO_ROWS, type PeerEntries } from '../../reconcile/entries.ts'
import type { RouteState } from '../../kernel/kernel.ts'
import { BestRoutes } from '../../kernel/best-routes.ts'

/**
 * Who is reached over the underlay's link without a gateway, by the routes of the main table (rules that choose other tables are not
 * looked at). Routes of our own making say nothing: they lead to containers. Costs one look per prefix length in use.
 */
export class DirectReach {
  readonly #linkIndex: number
  readonly #best: BestRoutes

  /** @param routes of one family */
  constructor(routes: readonly RouteState[], linkIndex: number) {
    this.#linkIndex = linkIndex
    this.#best = new BestRoutes(routes)
  }

  reaches(address: Ip): boolean {
    const route = this.#best.to(address)
    return route?.type === 'unicast' && route.gateway === undefined && route.linkIndex === this.#linkIndex
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
