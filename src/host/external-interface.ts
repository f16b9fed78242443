import { parseIp, sameIp, type Family, type Ip } from '../net/ip.ts'
import { prefixOf, type Prefix } from '../net/prefix.ts'
import type { AddressState, Kernel, LinkState, RouteState } from '../reconcile/kernel.ts'
import { bestAddress, isGlobal } from './best-address.ts'

export { bestAddress } from './best-address.ts'

/** What the operator asked for; nothing means: the interface of the default route. */
export interface InterfaceChoice {
  /** Names or addresses (`--iface`), in order of preference. */
  readonly ifaces: readonly string[]
  /** Matched against addresses and names (`--iface-regex`), in order of preference. */
  readonly ifaceRegexes: readonly RegExp[]
  /** Address that the kernel reaches through the interface (`--iface-can-reach`). */
  readonly ifaceCanReach: Ip | undefined
  /** Addresses to publish instead of the interface's own (`--public-ip`, `--public-ipv6`), as behind NAT. */
  readonly publicIps: ReadonlyMap<Family, Ip>
}

/** The underlay interface, and the addresses tunnels use on it. */
export interface ExternalInterface {
  readonly link: LinkState
  /** Outer source address of our packets. */
  readonly address: Ip
  /** The network of that address, as far as hosts in it are reached without a gateway. */
  readonly prefix: Prefix
  /** Gateways of the default routes through the interface. */
  readonly gateways: readonly Ip[]
  /** Address peers send to. */
  readonly publicIp: Ip
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

export interface HostState {
  readonly links: readonly LinkState[]
  readonly addresses: readonly AddressState[]
  /** Of the main table. */
  readonly routes: readonly RouteState[]
}

/** @throws {KernelError} */
export async function readHost(kernel: Kernel, { family, leader }: Wanted, signal: AbortSignal): Promise<HostState> {
  const routes: (readonly RouteState[])[] = []
  for (const one of new Set([leader, family])) routes.push(await kernel.routes(one, signal))
  return { links: await kernel.links(signal), addresses: await kernel.addresses(signal), routes: routes.flat() }
}

/** @throws {NoInterfaceError | KernelError} */
export async function chooseExternalInterface(
  kernel: Kernel,
  choice: InterfaceChoice,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<ExternalInterface> {
  return selectInterface(await readHost(kernel, wanted, signal), choice, wanted)
}

/** The choice itself. Pure. @throws {NoInterfaceError} */
export function selectInterface(host: HostState, choice: InterfaceChoice, wanted: Wanted): ExternalInterface {
  const { family, leader } = wanted
  const chosen = selectLeading(host, choice, leader)
  return family === leader ? chosen : beside(host, chosen.link, choice, family)
}

/** The address of another family on the interface in use: one that was named, else the best that means something beyond the link. */
function beside(host: HostState, link: LinkState, choice: InterfaceChoice, family: Family): ExternalInterface {
  const own = host.addresses.filter(({ linkIndex }) => linkIndex === link.index)
  const address = own.find(({ ip }) => ip.family === family && choice.ifaces.includes(ip.text))
  const best = address ?? bestAddress(own.filter(isGlobal), link, family)
  if (best !== undefined) return externalInterface(host, link, best, choice)
  throw new NoInterfaceError(
    `${link.name} has no IPv${family} address that other hosts could reach. Candidates: ${listCandidates(host, family)}`,
  )
}

function selectLeading(host: HostState, choice: InterfaceChoice, family: Family): ExternalInterface {
  const wanted =
    choice.ifaces.length === 0 ? [byDefaultRoute(host, family)] : choice.ifaces.map((text) => named(host, text))
  for (const candidate of wanted) {
    if (candidate === undefined) continue
    const address = candidate.address ?? bestAddress(host.addresses, candidate.link, family)
    if (address?.ip.family === family) return externalInterface(host, candidate.link, address, choice)
  }
  const sought =
    choice.ifaces.length === 0
      ? `there is no default IPv${family} route`
      : `--iface ${choice.ifaces.join(', ')} fits none`
  throw new NoInterfaceError(
    `no external interface with an IPv${family} address: ${sought}. Candidates: ${listCandidates(host, family)}`,
  )
}

/** All there is to know about the interface with this address on it. */
export const externalInterface = (
  host: HostState,
  link: LinkState,
  address: AddressState,
  choice: InterfaceChoice,
): ExternalInterface => ({
  link,
  address: address.ip,
  prefix: prefixOf(address.ip, address.prefixLength),
  gateways: defaultRoutes(host, address.ip.family).flatMap(({ linkIndex, gateway }) =>
    linkIndex === link.index && gateway !== undefined ? [gateway] : [],
  ),
  publicIp: choice.publicIps.get(address.ip.family) ?? address.ip,
})

interface Candidate {
  readonly link: LinkState
  /** Set when the operator named this very address. */
  readonly address: AddressState | undefined
}

function named(host: HostState, text: string): Candidate | undefined {
  const wantedIp = parseIp(text)
  const address = wantedIp && host.addresses.find(({ ip }) => sameIp(ip, wantedIp))
  const link = host.links.find(({ index, name }) => (wantedIp ? index === address?.linkIndex : name === text))
  return link && { link, address }
}

function byDefaultRoute(host: HostState, family: Family): Candidate | undefined {
  const best = defaultRoutes(host, family).reduce<RouteState | undefined>(
    (a, b) => (a !== undefined && a.metric <= b.metric ? a : b),
    undefined,
  )
  const link = host.links.find(({ index }) => index === best?.linkIndex)
  return link && { link, address: undefined }
}

const defaultRoutes = (host: HostState, family: Family): readonly RouteState[] =>
  host.routes.filter(
    ({ destination, linkIndex }) =>
      destination.family === family && destination.length === 0 && linkIndex !== undefined,
  )

/** The interfaces that could be named with --iface, each with its addresses, for an error about one of them. @throws {KernelError} */
export async function describeCandidates(kernel: Kernel, family: Family, signal: AbortSignal): Promise<string> {
  return listCandidates(
    { links: await kernel.links(signal), addresses: await kernel.addresses(signal), routes: [] },
    family,
  )
}

/** Our own device of this run or an earlier one: `flannel.VNI`, `flannel-v6.VNI`, `flan.VNI`, `flan6.VNI`. Tunnels do not run on themselves. */
const OWN_DEVICE = /^(flannel(-v6)?|flan6?)\.\d+$/

export function listCandidates(host: HostState, family: Family): string {
  const candidates = host.links
    .filter(({ loopback, name }) => !loopback && !OWN_DEVICE.test(name))
    .flatMap(({ index, name }) => {
      const own = host.addresses.filter(({ linkIndex, ip }) => linkIndex === index && ip.family === family)
      return own.length === 0 ? [] : [`${name} (${own.map(({ ip }) => ip.text).join(', ')})`]
    })
  return candidates.join(', ') || 'none'
}
