/*
 * What is ours in the kernel and what is foreign: whether a neighbour, an FDB entry or a route that was read is one of those we write. It is
 * handed the states that the kernel port reads; link-tables.ts, link-routes.ts and reconciler.ts ask before anything reaches a table.
 */
import { sameIp } from '../net/ip.ts'
import { prefixContains, prefixCovers, type Prefix } from '../net/prefix.ts'
import type { FdbEntry, NeighbourEntry, RouteAlteration, RouteEntry } from './entries.ts'
import { ROUTE_PROTOCOL } from '../kernel/marks.ts'
import type { FdbState, NeighbourState, RouteState } from '../kernel/kernel.ts'
import type { Scope } from '../kernel/words.ts'

/**
 * Our routes that another may stand in place of: a replacement goes by destination and metric, and the kernel is silent on what was there.
 * On our device, ours lead through the base of their destination, or, where the device alone knows the way, through nothing.
 */
export function routesReplacedBy({
  destination,
  metric,
}: Pick<RouteState, 'destination' | 'metric'>): readonly RouteEntry[] {
  const ours = { destination, metric, protocol: ROUTE_PROTOCOL } as const
  return [
    { ...ours, gateway: destination.base, onlink: true },
    { ...ours, gateway: undefined, onlink: false },
  ]
}

/** A neighbour on our device is ours when it is permanent: nobody else has business there. Others are the kernel's own. */
export const ownNeighbour = ({ ip, mac, permanent }: NeighbourState): NeighbourEntry | undefined =>
  permanent && mac !== undefined ? { ip, mac } : undefined

/** As for neighbours; entries the device learned are the kernel's own. */
export const ownFdb = ({ mac, remote, permanent, astray }: FdbState): FdbEntry | undefined =>
  permanent && remote !== undefined ? { mac, remote, astray } : undefined

/**
 * What a route of the main table is on one link, one row for each of its next hops there. It could be ours by its key;
 * {@link isOwnRoute} decides.
 */
export function routesOn(state: RouteState, link: number): readonly RouteEntry[] {
  if (state.table !== 'main' || state.type !== 'unicast') return []
  const { destination, metric, protocol, onlink, furtherHops } = state
  const alterations = alterationsOf(state)
  if (furtherHops === undefined)
    return state.linkIndex === link
      ? [{ destination, gateway: state.gateway, metric, protocol, onlink, alterations }]
      : []
  return [state, ...furtherHops]
    .filter(({ linkIndex }) => linkIndex === link)
    .map(({ gateway }) => ({ destination, gateway, metric, protocol, onlink, alterations }))
}

/** Undefined for a route as we make them. */
function alterationsOf(state: RouteState): readonly RouteAlteration[] | undefined {
  const { extras, furtherHops } = state
  const hasScope = state.scope === scopeFor(state)
  if (extras === undefined && furtherHops === undefined && hasScope) return undefined
  const more: RouteAlteration[] = [...(extras ?? [])]
  if (furtherHops !== undefined) more.push('nexthop')
  if (!hasScope) more.push('scope')
  return more
}

/** IPv6 knows no scopes. */
const scopeFor = ({ destination, gateway }: RouteState): Scope =>
  destination.family === 4 && gateway === undefined ? 'link' : 'global'

/** Metric of a route made without one: 0, or what IPv6 has for it (IP6_RT_PRIO_USER, linux/ipv6_route.h). */
const NO_METRIC = { 4: 0, 6: 1024 } as const

/** How upstream makes routes on a link that is not its own, and other people theirs: of protocol boot, without a metric. */
export const isMadeByHand = ({ protocol, onlink, gateway, metric, destination }: RouteEntry): boolean =>
  protocol === 'boot' && !onlink && metric === NO_METRIC[destination.family] && gateway !== undefined

/**
 * Routes on a link that is not ours: ours are those with our protocol number, and those in upstream's shape there: protocol boot, no
 * metric, through a gateway outside the overlay, to a subnet of the overlay's length inside it.
 */
export const isOwnDirectRoute = (route: RouteEntry, { network, subnetLength }: Cut): boolean => {
  const { protocol, gateway, destination } = route
  if (protocol === ROUTE_PROTOCOL) return true
  return (
    isMadeByHand(route) &&
    gateway !== undefined &&
    !prefixContains(network, gateway) &&
    destination.length === subnetLength &&
    prefixCovers(network, destination)
  )
}

/** A network, and the prefix length of the subnets it is cut into, in bits. */
export interface Cut {
  readonly network: Prefix
  readonly subnetLength: number
}

/** Ours by our protocol number, or by upstream's shape: protocol boot, onlink, gateway at the base of the destination. */
export const isOwnRoute = ({ protocol, onlink, gateway, destination }: RouteEntry): boolean =>
  protocol === ROUTE_PROTOCOL ||
  (protocol === 'boot' && onlink && gateway !== undefined && sameIp(gateway, destination.base))
