import type { Prefix } from '../net/prefix.ts'
import { leadsOver, type RouteState } from './kernel.ts'
import type { RouteProtocol, RouteType } from './words.ts'

/** Which routes are asked for: those of which all that is given holds. */
export interface RouteSelection {
  /** Any of their next hops may lead over it. */
  readonly linkIndex?: number | undefined
  readonly type?: RouteType | undefined
  readonly protocol?: RouteProtocol | undefined
  readonly apart?: RoutesApart | undefined
}

/** Routes that are not among those which come: of each, where it leads is told, and nothing else is made of it. */
export interface RoutesApart {
  readonly protocol: RouteProtocol
  /** That their one next hop leads over. */
  readonly links: readonly number[]
  readonly take: (destination: Prefix) => void
}

export const isSelected = (route: RouteState, { linkIndex, type, protocol }: RouteSelection): boolean =>
  (linkIndex === undefined || leadsOver(route, linkIndex)) &&
  (type === undefined || route.type === type) &&
  (protocol === undefined || route.protocol === protocol)

/** Those of these routes that are asked for. */
export function selectRoutes(routes: readonly RouteState[], selection: RouteSelection): readonly RouteState[] {
  const { apart } = selection
  return routes.filter((route) => {
    const { protocol, linkIndex, furtherHops, destination } = route
    const isApart = protocol === apart?.protocol && linkIndex !== undefined && furtherHops === undefined
    if (!isApart || !apart.links.includes(linkIndex)) return isSelected(route, selection)
    apart.take(destination)
    return false
  })
}
