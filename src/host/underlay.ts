import type { TextPattern } from '../config/options.ts'
import type { Family, Ip } from '../net/ip.ts'
import { isReachableUnicast, prefixOf } from '../net/prefix.ts'
import type { AddressState, Kernel, LinkState, RouteLookup, RouteState } from '../kernel/kernel.ts'
import type { Underlay } from '../kernel/underlay.ts'
import { bestAddress, isGlobal } from './best-address.ts'
import {
  byDefaultRoute,
  gatewaysOf,
  listCandidates,
  matching,
  matchingAddresses,
  named,
  reaching,
  type Candidate,
} from './interface-candidates.ts'

export type { Underlay } from '../kernel/underlay.ts'
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
}

/** No interface fits what was asked for. The message lists the candidates with their addresses. */
export class NoInterfaceError extends Error {
  override readonly name = 'NoInterfaceError'
}

export interface HostAddresses {
  readonly links: readonly LinkState[]
  readonly addresses: readonly AddressState[]
  /** Of the main table. */
  readonly routes: readonly RouteState[]
  /** The kernel's way to the address of `--iface-can-reach`; undefined when there is none, or none was asked for. */
  readonly reach?: RouteLookup | undefined
}

/** @throws {KernelError} */
export async function readHost(
  kernel: Kernel,
  choice: InterfaceChoice,
  { family, leader }: Wanted,
  signal: AbortSignal,
): Promise<HostAddresses> {
  const routes: (readonly RouteState[])[] = []
  for (const one of new Set([leader, family])) routes.push(await kernel.routes(one, signal))
  const target = choice.ifaceCanReach
  return {
    links: await kernel.links(signal),
    addresses: await kernel.addresses(signal),
    routes: routes.flat(),
    reach: target && (await kernel.lookup(target, signal)),
  }
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
  const { family, leader } = wanted
  const chosen = selectLeading(host, choice, leader)
  return family === leader ? chosen : beside(host, chosen.link, choice, family)
}

/**
 * The address of another family on the interface in use: one that was asked for, by itself or by a regular expression, else the best
 * that means something beyond the link.
 */
function beside(host: HostAddresses, link: LinkState, choice: InterfaceChoice, family: Family): Underlay {
  const own = host.addresses.filter(({ linkIndex }) => linkIndex === link.index)
  const address = own.find(({ ip }) => ip.family === family && choice.ifaces.includes(ip.text))
  const matched = matchingAddresses(host, link, choice.ifaceRegexes).filter(isGlobal)
  const best = address ?? bestAddress(matched, link, family) ?? bestAddress(own.filter(isGlobal), link, family)
  if (best !== undefined) return underlayOn(host, link, best, choice)
  throw new NoInterfaceError(
    `${link.name} has no IPv${family} address that other hosts could reach. Candidates: ${listCandidates(host, family)}`,
  )
}

function selectLeading(host: HostAddresses, choice: InterfaceChoice, family: Family): Underlay {
  for (const candidate of candidates(host, choice, family)) {
    if (candidate === undefined) continue
    const address = candidate.address ?? bestAddress(host.addresses, candidate.link, family)
    if (address?.ip.family !== family) continue
    const found = underlayOn(host, candidate.link, address, choice)
    if (isReachableUnicast(found.publicIp)) return found
  }
  throw new NoInterfaceError(
    `no underlay with an IPv${family} address: ${describeSearch(host, choice, family)}. ` +
      `Candidates: ${listCandidates(host, family)}`,
  )
}

/** In order of preference: the names, then the regular expressions, then the one that reaches an address; else the default route's. */
function candidates(host: HostAddresses, choice: InterfaceChoice, family: Family): readonly (Candidate | undefined)[] {
  if (!isChosen(choice)) return [byDefaultRoute(host, family)]
  return [
    ...choice.ifaces.map((text) => named(host, text)),
    ...choice.ifaceRegexes.map((regex) => matching(host, regex, family)),
    ...(choice.ifaceCanReach === undefined ? [] : [reaching(host, family)]),
  ]
}

const isChosen = ({ ifaces, ifaceRegexes, ifaceCanReach }: InterfaceChoice): boolean =>
  ifaces.length > 0 || ifaceRegexes.length > 0 || ifaceCanReach !== undefined

/** What was looked for in vain, and why it does not do where that is not plain from the candidates. */
function describeSearch(host: HostAddresses, choice: InterfaceChoice, family: Family): string {
  if (!isChosen(choice)) return `there is no default IPv${family} route`
  const { ifaces, ifaceRegexes, ifaceCanReach } = choice
  const reason = (text: string): string =>
    named(host, text) === undefined ? `${text} is not there` : `${text} has no usable IPv${family} address`
  return [
    ...(ifaces.length === 0 ? [] : [`--iface fits none: ${ifaces.map(reason).join(', ')}`]),
    ...(ifaceRegexes.length === 0
      ? []
      : [`--iface-regex ${ifaceRegexes.map(({ source }) => source).join(', ')} matches none`]),
    ...(ifaceCanReach === undefined ? [] : [`--iface-can-reach ${ifaceCanReach.text} leads through none`]),
  ].join('; ')
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
  return listCandidates(
    { links: await kernel.links(signal), addresses: await kernel.addresses(signal), routes: [] },
    family,
  )
}
