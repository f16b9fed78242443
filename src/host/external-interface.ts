import { parseIp, sameIp, type Family, type Ip } from '../net/ip.ts'
import type { AddressState, Kernel, LinkState, RouteState } from '../reconcile/kernel.ts'

/** What the operator asked for; nothing means: the interface of the default route. */
export interface InterfaceChoice {
  /** Names or addresses (`--iface`), in order of preference. */
  readonly ifaces: readonly string[]
  /** Address to publish instead of the interface's own (`--public-ip`), as behind NAT. */
  readonly publicIp: Ip | undefined
}

/** The underlay interface, and the addresses tunnels use on it. */
export interface ExternalInterface {
  readonly link: LinkState
  /** Outer source address of our packets. */
  readonly address: Ip
  /** Address peers send to. */
  readonly publicIp: Ip
}

/** No interface fits what was asked for. The message lists the candidates with their addresses. */
export class NoInterfaceError extends Error {
  override readonly name = 'NoInterfaceError'
}

interface HostState {
  readonly links: readonly LinkState[]
  readonly addresses: readonly AddressState[]
  readonly routes: readonly RouteState[]
}

/** @throws {NoInterfaceError | KernelError} */
export async function chooseExternalInterface(
  kernel: Kernel,
  choice: InterfaceChoice,
  family: Family,
  signal: AbortSignal,
): Promise<ExternalInterface> {
  const [links, addresses, routes] = [
    await kernel.links(signal),
    await kernel.addresses(signal),
    await kernel.routes(family, signal),
  ]
  return selectInterface({ links, addresses, routes }, choice, family)
}

/** The choice itself. Pure. @throws {NoInterfaceError} */
export function selectInterface(host: HostState, choice: InterfaceChoice, family: Family): ExternalInterface {
  const wanted =
    choice.ifaces.length === 0 ? [byDefaultRoute(host, family)] : choice.ifaces.map((text) => named(host, text))
  for (const candidate of wanted) {
    const address = candidate?.address ?? bestAddress(host.addresses, candidate?.link, family)
    if (candidate !== undefined && address?.family === family)
      return { link: candidate.link, address, publicIp: choice.publicIp ?? address }
  }
  const sought =
    choice.ifaces.length === 0
      ? `there is no default IPv${family} route`
      : `--iface ${choice.ifaces.join(', ')} fits none`
  throw new NoInterfaceError(
    `no external interface with an IPv${family} address: ${sought}. Candidates: ${listCandidates(host, family)}`,
  )
}

interface Candidate {
  readonly link: LinkState
  /** Set when the operator named this very address. */
  readonly address: Ip | undefined
}

function named(host: HostState, text: string): Candidate | undefined {
  const wantedIp = parseIp(text)
  const holder = wantedIp && host.addresses.find(({ ip }) => sameIp(ip, wantedIp))
  const link = host.links.find(({ index, name }) => (wantedIp ? index === holder?.linkIndex : name === text))
  return link && { link, address: wantedIp }
}

function byDefaultRoute(host: HostState, family: Family): Candidate | undefined {
  const defaults = host.routes.filter(
    ({ destination, linkIndex }) =>
      destination.family === family && destination.length === 0 && linkIndex !== undefined,
  )
  const best = defaults.reduce<RouteState | undefined>(
    (a, b) => (a !== undefined && a.metric <= b.metric ? a : b),
    undefined,
  )
  const link = host.links.find(({ index }) => index === best?.linkIndex)
  return link && { link, address: undefined }
}

/** IFA_F_* (linux/if_addr.h) */
const IFA_F_TEMPORARY = 0x01
const IFA_F_DADFAILED = 0x08
const IFA_F_DEPRECATED = 0x20
const IFA_F_TENTATIVE = 0x40
const IFA_F_PERMANENT = 0x80
const UNUSABLE = IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TENTATIVE
/** RT_SCOPE_LINK (linux/rtnetlink.h) */
const RT_SCOPE_LINK = 253

/** Global before link-local, permanent before dynamic, lasting before temporary; never a deprecated or unusable one. */
export function bestAddress(
  addresses: readonly AddressState[],
  link: LinkState | undefined,
  family: Family,
): Ip | undefined {
  const penalty = ({ scope, flags }: AddressState): number =>
    (scope >= RT_SCOPE_LINK ? 4 : 0) +
    (flags & IFA_F_PERMANENT ? 0 : 2) +
    (flags & IFA_F_TEMPORARY && family === 6 ? 1 : 0)
  const usable = addresses.filter(
    ({ linkIndex, ip, flags }) => linkIndex === link?.index && ip.family === family && (flags & UNUSABLE) === 0,
  )
  return usable.reduce<AddressState | undefined>(
    (best, other) => (best !== undefined && penalty(best) <= penalty(other) ? best : other),
    undefined,
  )?.ip
}

function listCandidates(host: HostState, family: Family): string {
  const lines = host.links
    .filter(({ loopback }) => !loopback)
    .map(({ index, name }) => {
      const own = host.addresses.filter(({ linkIndex, ip }) => linkIndex === index && ip.family === family)
      return `${name} (${own.map(({ ip }) => ip.text).join(', ') || 'no address'})`
    })
  return lines.join(', ') || 'none'
}
