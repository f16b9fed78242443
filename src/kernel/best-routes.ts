import type { Ip } from '../net/ip.ts'
import { prefixOf } from '../net/prefix.ts'
import type { RouteState } from './kernel.ts'
import { ROUTE_PROTOCOL } from './marks.ts'

/**
 * Which route of a table packets to an address follow: the longest prefix, of those the lowest metric. Routes of our own making say
 * nothing: they lead to containers. Costs one look per prefix length in use.
 */
export class BestRoutes {
  /** The best route to each prefix, by length and base; longest first. */
  readonly #byLength: readonly (readonly [length: number, best: ReadonlyMap<string, RouteState>])[]

  /** @param routes of one family */
  constructor(routes: readonly RouteState[]) {
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

  to(address: Ip): RouteState | undefined {
    for (const [length, best] of this.#byLength) {
      const route = best.get(prefixOf(address, length).base.text)
      if (route !== undefined) return route
    }
    return undefined
  }
}
