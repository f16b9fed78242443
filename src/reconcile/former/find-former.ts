/*
 * What another configuration has left on this host in the kernel: devices of another VNI, family or backend, and routes over links that are
 * used no longer. Pure: it is handed what stands, and what is kept at present, and says what may go. FormerTask (agent/datapath) carries it out.
 */
import type { AddressState, KernelOp, LinkState, RouteState } from '../../kernel/kernel.ts'
import { DEVICE_ALIAS, familyOfDevice, familyOfOwnDevice, ROUTE_PROTOCOL } from '../../kernel/marks.ts'
import type { Family } from '../../net/ip.ts'
import { prefixContains, prefixCovers, type Prefix } from '../../net/prefix.ts'
import { describeRoute, routeDeletion } from './route-removal.ts'

/** What stands on the host. */
export interface FormerHost {
  readonly links: readonly LinkState[]
  readonly addresses: readonly AddressState[]
  /** Of the main table, in both families. */
  readonly routes: readonly RouteState[]
}

/** One family of the present configuration. A family that is missing is none of it. */
export interface PresentFamily {
  readonly family: Family
  /** Name of its device, whether it is there or not; undefined: it has none. */
  readonly device: string | undefined
  /** Links on which its routes are kept; undefined: it has not come up, and what stands of it is left alone. */
  readonly links: readonly number[] | undefined
  readonly network: Prefix
}

/** Something of ours that the present configuration has no use for. */
export interface FormerThing {
  readonly family: Family
  /** For people. */
  readonly name: string
  readonly removal: KernelOp
}

/** A device that looks like one of ours, and is not proved to be. */
export interface UnprovenDevice {
  readonly link: LinkState
  /** Why it is not. */
  readonly why: string
  /** What of it can take packets of the overlay: `address 10.1.16.0/32`; undefined: nothing. */
  readonly inTheWay: string | undefined
}

export interface Former {
  /** In the order in which it goes: routes before the devices that carry them. */
  readonly things: readonly FormerThing[]
  readonly unproven: readonly UnprovenDevice[]
}

/** A present device that somebody has renamed is none: whoever tends it makes it anew. */
export function findFormer(host: FormerHost, present: readonly PresentFamily[]): Former {
  const isPresent = ({ name }: LinkState): boolean => present.some(({ device }) => device === name)
  const others = host.links.filter((link) => !isPresent(link))
  const isRenamed = ({ index }: LinkState): boolean => present.some(({ links }) => links?.includes(index) === true)
  const devices = others.flatMap((link) => formerDevice(link) ?? [])
  const going = new Set(devices.map(({ link }) => link.index))
  const routes = host.routes.filter(
    (route) => isFormerRoute(route, present) && !(route.linkIndex !== undefined && going.has(route.linkIndex)),
  )
  return {
    things: [...routes.flatMap((route) => formerRoute(route, host.links) ?? []), ...devices.map(({ thing }) => thing)],
    unproven: others.filter((link) => !isRenamed(link)).flatMap((link) => unprovenDevice(link, host, present) ?? []),
  }
}

/** The kernel takes with a device all that hangs on it. */
function formerDevice(link: LinkState): { readonly link: LinkState; readonly thing: FormerThing } | undefined {
  const family = familyOfOwnDevice(link)
  const removal = { op: 'link.delete', linkIndex: link.index } as const
  return family && { link, thing: { family, name: `device ${link.name}`, removal } }
}

/** Ours by our protocol, over a link on which none are kept. Blackholes are kept, or removed, by whoever makes them. */
function isFormerRoute(route: RouteState, present: readonly PresentFamily[]): boolean {
  const { protocol, type, table, linkIndex, furtherHops = [], destination } = route
  if (protocol !== ROUTE_PROTOCOL || type !== 'unicast' || table !== 'main') return false
  const own = present.find(({ family }) => family === destination.family)
  if (own === undefined) return true
  const { links } = own
  return links !== undefined && ![{ linkIndex }, ...furtherHops].some((hop) => links.includes(hop.linkIndex ?? 0))
}

function formerRoute(route: RouteState, links: readonly LinkState[]): FormerThing | undefined {
  const removal = routeDeletion(route)
  return removal && { family: route.destination.family, name: describeRoute(route, links), removal }
}

function unprovenDevice(
  link: LinkState,
  host: FormerHost,
  present: readonly PresentFamily[],
): UnprovenDevice | undefined {
  const hasAlias = link.alias === DEVICE_ALIAS
  const looksOurs = hasAlias || (familyOfDevice(link.name) !== undefined && link.kind === 'vxlan')
  if (!looksOurs || familyOfOwnDevice(link) !== undefined) return undefined
  const why = hasAlias
    ? `it has the alias ${DEVICE_ALIAS}, but not a name of ours`
    : `it has not the alias ${DEVICE_ALIAS}`
  return {
    link,
    why,
    inTheWay: obstacleOn(
      link,
      host,
      present.map(({ network }) => network),
    ),
  }
}

/** What of a device concerns one of these networks, the address first: it is what the kernel refuses gateways for. */
function obstacleOn(
  { index }: LinkState,
  { addresses, routes }: FormerHost,
  networks: readonly Prefix[],
): string | undefined {
  const address = addresses.find(
    ({ linkIndex, ip }) => linkIndex === index && networks.some((network) => prefixContains(network, ip)),
  )
  if (address !== undefined) return `address ${address.ip.text}/${address.prefixLength}`
  const route = routes.find(
    ({ linkIndex, destination }) =>
      linkIndex === index && networks.some((network) => prefixCovers(network, destination)),
  )
  return route && `route ${route.destination.text}`
}
