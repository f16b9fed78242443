import type { TextPattern } from '../../config/options.ts'
import type { Family, Ip } from '../../net/ip.ts'
import { PrefixList } from '../../columns/prefix-list.ts'
import { ROUTE_PROTOCOL } from '../../kernel/marks.ts'
import { isReachableUnicast, prefixOf, type Prefix } from '../../net/prefix.ts'
import type { AddressState, Kernel, LinkState, RouteLookup, RouteState } from '../../kernel/kernel.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import { isHandedOut, type OverlayNetwork } from '../../config/network.ts'
import { bestAddress, isGlobal } from './best-address.ts'
import {
  byDefaultRoute,
  gatewaysOf,
  isOurDevice,
  listCandidates,
  matching,
  matchingAddresses,
  named,
  reaching,
  withAddress,
  type Candidate,
} from './interface-candidates.ts'
import { describeSearch, isChosen } from './interface-search.ts'
import { withoutOverlay } from './overlay-addresses.ts'

export type { Underlay } from '../../kernel/underlay.ts'
export { bestAddress } from './best-address.ts'
export { listCandidates } from './interface-candidates.ts'

/** What the operator asked for; nothing means: the interface of the default route. */
export interface InterfaceChoice {
  /** Names or addresses (`--iface`), in order of preference. */
  readonly ifaces: readonly string[]
  /** Matched against addresses and names (`--iface-regex`), in order of preference. */
  readonly ifaceRegexes: readonly TextPattern[]
  /** Address that the kernel reaches through the interface (`--iface-can-reach`). */
  readonly ifaceCanReach: Ip | undefined
  /** Addresses to publish instead of the interface's own (`--public-ip`, `--public-ipv6`), as behind NAT. */
  readonly publicIps: ReadonlyMap<Family, Ip>
}

/** Whose address is sought, and which family has the say in which interface it is: with both, tunnels of both use the same. */
export interface Wanted {
  readonly family: Family
  readonly leader: Family
  /** Addresses that peers send to: while the host has one of them, it is taken wherever the choice leaves several. Absent: none. */
  readonly known?: readonly Ip[]
  /** What the overlay hands out to containers, as far as it is known: none of it is an underlay. */
  readonly overlays?: readonly OverlayNetwork[]
  /** Told of the host as it was read for this. */
  readonly onRead?: (host: HostAddresses) => void
}

/** No interface fits what was asked for. The message lists the candidates with their addresses. */
export class NoInterfaceError extends Error {
  override readonly name = 'NoInterfaceError'
}

export interface HostAddresses {
  readonly links: readonly LinkState[]
  readonly addresses: readonly AddressState[]
  /** Of the main table, but for those in `toPeers`. */
  readonly routes: readonly RouteState[]
  /** Where our routes over devices of ours lead, by family: one for each peer, and of no other use. Absent: nowhere. */
  readonly toPeers?: ReadonlyMap<Family, Iterable<Prefix>>
  /** The kernel's way to the address of `--iface-can-reach`; undefined when there is none, or none was asked for. */
  readonly reach?: RouteLookup | undefined
}

/** @throws {KernelError} */
export async function readHost(
  kernel: Kernel,
  choice: InterfaceChoice,
  { family, leader, onRead }: Wanted,
  signal: AbortSignal,
): Promise<HostAddresses> {
  const links = await kernel.links(signal)
  const own = links.filter(isOurDevice).map(({ index }) => index)
  const routes: (readonly RouteState[])[] = []
  const toPeers = new Map<Family, PrefixList>()
  for (const one of new Set([leader, family])) {
    const list = new PrefixList()
    const take = (destination: Prefix): void => {
      list.push(destination)
    }
    toPeers.set(one, list)
    routes.push(await kernel.routes(one, signal, { apart: { protocol: ROUTE_PROTOCOL, links: own, take } }))
  }
  const target = choice.ifaceCanReach
  const host = {
    links,
    addresses: await kernel.addresses(signal),
    routes: routes.flat(),
    toPeers,
    reach: target && (await kernel.lookup(target, signal)),
  }
  onRead?.(host)
  return host
}

/** @throws {NoInterfaceError | KernelError} */
export async function chooseUnderlay(
  kernel: Kernel,
  choice: InterfaceChoice,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Underlay> {
  return selectUnderlay(await readHost(kernel, choice, wanted, signal), choice, wanted)
}

/** The choice itself. Pure. @throws {NoInterfaceError} */
export function selectUnderlay(host: HostAddresses, choice: InterfaceChoice, wanted: Wanted): Underlay {
  const { family, leader, overlays = [] } = wanted
  const around = withoutOverlay(host, overlays)
  const chosen = selectLeading(around, choice, wanted, host)
  const found = family === leader ? chosen : beside(around, chosen.link, choice, wanted)
  refuseOverlayPublicIp(found, around, wanted)
  return found
}

/**
 * The address of another family on the interface in use: one that was asked for, by itself or by a regular expression, else the best
 * that means something beyond the link.
 */
function beside(host: HostAddresses, link: LinkState, choice: InterfaceChoice, { family, known }: Wanted): Underlay {
  const own = host.addresses.filter(({ linkIndex }) => linkIndex === link.index)
  const asked = isChosen(choice) ? choice.ifaces : [...choice.publicIps.values()].map(({ text }) => text)
  const address = own.find(({ ip }) => ip.family === family && asked.includes(ip.text))
  const matched = matchingAddresses(host, link, choice.ifaceRegexes).filter(isGlobal)
  const best = (among: readonly AddressState[]): AddressState | undefined => bestAddress(among, link, family, known)
  const found = address ?? best(matched) ?? best(own.filter(isGlobal))
  if (found !== undefined) return underlayOn(host, link, found, choice)
  throw new NoInterfaceError(
    `${link.name} has no IPv${family} address that other hosts could reach. Candidates: ${listCandidates(host, family)}`,
  )
}

/** @param all the host with the addresses of the overlay, for the reason */
function selectLeading(host: HostAddresses, choice: InterfaceChoice, wanted: Wanted, all: HostAddresses): Underlay {
  const { leader: family, known } = wanted
  for (const candidate of candidates(host, choice, wanted)) {
    if (candidate === undefined) continue
    const address = candidate.address ?? bestAddress(host.addresses, candidate.link, family, known)
    if (address?.ip.family !== family) continue
    const found = underlayOn(host, candidate.link, address, choice)
    if (isReachableUnicast(found.publicIp)) return found
  }
  throw new NoInterfaceError(
    `no underlay with an IPv${family} address: ${describeSearch(choice, wanted, all)}. ` +
      `Candidates: ${listCandidates(host, family)}`,
  )
}

/**
 * In order of preference: the names, then the regular expressions, then the one that reaches an address. Without any of these: the one
 * with the address to publish, then the one with an address that peers know, then the default route's.
 */
function candidates(host: HostAddresses, choice: InterfaceChoice, wanted: Wanted): readonly (Candidate | undefined)[] {
  const { leader: family, known = [] } = wanted
  if (!isChosen(choice))
    return [
      ...published(host, choice, family),
      ...known.filter((ip) => ip.family === family).map((ip) => withAddress(host, ip)),
      byDefaultRoute(host, family),
    ]
  return [
    ...choice.ifaces.map((text) => named(host, text)),
    ...choice.ifaceRegexes.map((regex) => matching(host, regex, family, known)),
    ...(choice.ifaceCanReach === undefined ? [] : [reaching(host, family)]),
  ]
}

/** The interfaces with `--public-ip` and `--public-ipv6`, that of the family first; behind NAT there are none. */
function published(host: HostAddresses, { publicIps }: InterfaceChoice, family: Family): readonly Candidate[] {
  const ips = [...publicIps.values()].toSorted((a, b) => Number(b.family === family) - Number(a.family === family))
  return ips.flatMap((ip) => {
    const found = withAddress(host, ip)
    return found === undefined ? [] : [ip.family === family ? found : { link: found.link, address: undefined }]
  })
}

/** Peers would send the overlay's own packets into it. @throws {NoInterfaceError} */
function refuseOverlayPublicIp(found: Underlay, host: HostAddresses, { family, overlays = [] }: Wanted): void {
  const { publicIp, address } = found
  const overlay = overlays.find((one) => isHandedOut(one, publicIp))
  if (overlay === undefined || isHandedOut(overlay, address)) return
  const flag = publicIp.family === 4 ? '--public-ip' : '--public-ipv6'
  throw new NoInterfaceError(
    `${flag} ${publicIp.text} lies inside Network ${overlay.network.text}, whose addresses are for containers. ` +
      `Candidates: ${listCandidates(host, family)}`,
  )
}

/** All there is to know about the interface with this address on it. */
export const underlayOn = (
  host: HostAddresses,
  link: LinkState,
  address: AddressState,
  choice: InterfaceChoice,
): Underlay => ({
  link,
  address: address.ip,
  prefix: prefixOf(address.ip, address.prefixLength),
  gateways: gatewaysOf(host, link, address.ip.family),
  publicIp: choice.publicIps.get(address.ip.family) ?? address.ip,
})

/** The interfaces that could be named with --iface, each with its addresses, for an error about one of them. @throws {KernelError} */
export async function describeCandidates(kernel: Kernel, family: Family, signal: AbortSignal): Promise<string> {
  const [links, addresses] = [await kernel.links(signal), await kernel.addresses(signal)]
  return listCandidates(withoutOverlay({ links, addresses, routes: [] }, []), family)
}
