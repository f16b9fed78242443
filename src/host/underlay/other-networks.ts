import { PrefixList } from '../../columns/prefix-list.ts'
import { gatewayOf, type OverlayNetwork } from '../../config/network.ts'
import type { AddressState, LinkState, RouteState } from '../../kernel/kernel.ts'
import { ROUTE_PROTOCOL } from '../../kernel/marks.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import { sameIp, type Family, type Ip } from '../../net/ip.ts'
import { hostPrefix, prefixContains, prefixCovers, prefixesOverlap, prefixOf, type Prefix } from '../../net/prefix.ts'
import { isGlobal } from './best-address.ts'
import { isOurDevice } from './interface-candidates.ts'
import type { HostAddresses } from './underlay.ts'

/** Something inside the overlay's network that this host needs to reach otherwise. */
export interface OtherNetwork {
  readonly prefix: Prefix
  /** In words: `the network of eth1`. */
  readonly what: string
  /**
   * A peer's subnet may be there all the same. A mere route may be one in the place of ours, and is found by its winning; a bridge may be
   * that of our containers, from before another node got our subnet. Subnets of our own are chosen around both.
   */
  readonly toleratesPeers?: true
}

export interface Around {
  readonly overlay: OverlayNetwork
  /** Subnets that our containers have: what has an address in one is their bridge. */
  readonly own: readonly Prefix[]
  readonly underlay: Pick<Underlay, 'prefix'> | undefined
  readonly resolvers: readonly Ip[]
}

/**
 * The host's other networks in the overlay's range, its default gateways and its resolvers. One that holds the whole overlay is none
 * (10.5.0.0/16 within 10.0.0.0/8), nor is the network of the underlay, which has rules of its own.
 */
export function otherNetworks(host: HostAddresses, around: Around): readonly OtherNetwork[] {
  const { overlay, own, underlay, resolvers } = around
  const { family } = overlay
  const found = [
    ...host.addresses
      .filter((address) => isOthers(address, host, around))
      .flatMap((one) => networkOf(one, host, overlay)),
    ...host.routes.filter((route) => isConnected(route, host)).flatMap((route) => routedNetwork(route, host)),
    ...host.routes.flatMap(({ destination, gateway }) =>
      destination.length === 0 && gateway !== undefined
        ? [{ prefix: hostPrefix(gateway), what: 'a default gateway' }]
        : [],
    ),
    ...resolvers.map((resolver) => ({ prefix: hostPrefix(resolver), what: 'a resolver' })),
  ]
  const counts = ({ prefix }: OtherNetwork): boolean =>
    prefix.family === family &&
    prefixesOverlap(prefix, overlay.network) &&
    !prefixCovers(prefix, overlay.network) &&
    prefix.text !== underlay?.prefix.text &&
    !own.some((subnet) => prefixCovers(subnet, prefix))
  return [...new Map(found.filter(counts).map((network) => [network.prefix.text, network])).values()]
}

const linkOf = ({ links }: HostAddresses, index: number | undefined): LinkState | undefined =>
  links.find((link) => link.index === index)

function isOthers(address: AddressState, host: HostAddresses, { own }: Around): boolean {
  const link = linkOf(host, address.linkIndex)
  if (link === undefined || isOurDevice(link) || !isGlobal(address)) return false
  return !own.some((subnet) => prefixContains(subnet, address.ip))
}

function networkOf(
  { ip, prefixLength, linkIndex }: AddressState,
  host: HostAddresses,
  { subnetLength }: OverlayNetwork,
): readonly OtherNetwork[] {
  const link = linkOf(host, linkIndex)
  const name = link?.name ?? `link ${linkIndex}`
  const prefix = prefixOf(ip, prefixLength)
  const what = sameIp(prefix.base, ip) && isHost(prefix) ? `an address of ${name}` : `the network of ${name}`
  const isOfContainers = link?.kind === 'bridge' && prefixLength === subnetLength && sameIp(gatewayOf(prefix), ip)
  return [isOfContainers ? { prefix, what, toleratesPeers: true } : { prefix, what }]
}

const isHost = (prefix: Prefix): boolean => hostPrefix(prefix.base).text === prefix.text

/** A network without an address of ours in it: of a tunnel, of the far end of a link, or left by a network manager. */
function isConnected(route: RouteState, host: HostAddresses): boolean {
  const { type, gateway, linkIndex, protocol, destination, furtherHops } = route
  if (gateway !== undefined || protocol === ROUTE_PROTOCOL || destination.length === 0) return false
  const link = linkOf(host, linkIndex)
  return type === 'unicast' && furtherHops === undefined && link !== undefined && !isOurDevice(link)
}

function routedNetwork({ destination, linkIndex }: RouteState, host: HostAddresses): readonly OtherNetwork[] {
  const name = linkOf(host, linkIndex)?.name ?? ''
  const isOfAddress = host.addresses.some(
    ({ ip, prefixLength, linkIndex: on }) => on === linkIndex && prefixOf(ip, prefixLength).text === destination.text,
  )
  return isOfAddress ? [] : [{ prefix: destination, what: `a network behind ${name}`, toleratesPeers: true }]
}

/** What is kept of a host that was looked at: of our own routes, of which there is one for each peer, the destinations alone. */
export interface SeenHost extends HostAddresses {
  /** Of one family: whoever has them is reached now. */
  readonly standing: Iterable<Prefix>
}

export function seenHost(host: HostAddresses, family: Family): SeenHost {
  const others = new PrefixList()
  const routes = host.routes.filter((route) => {
    const isOurs = isOurRoute(route)
    if (isOurs && route.destination.family === family) others.push(route.destination)
    return !isOurs
  })
  const own = host.toPeers?.get(family) ?? []
  return { ...host, routes, standing: { [Symbol.iterator]: () => both(own, others) } }
}

function* both(some: Iterable<Prefix>, others: Iterable<Prefix>): Generator<Prefix, void, undefined> {
  yield* some
  yield* others
}

/** Of this run or an earlier one, ours or upstream's. */
const isOurRoute = ({ destination, protocol, onlink, gateway }: RouteState): boolean =>
  protocol === ROUTE_PROTOCOL || (onlink && gateway !== undefined && sameIp(gateway, destination.base))
