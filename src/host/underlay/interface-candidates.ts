import type { TextPattern } from '../../config/options.ts'
import { parseIp, sameIp, type Family, type Ip } from '../../net/ip.ts'
import type { AddressState, LinkState, RouteState } from '../../kernel/kernel.ts'
import { DEVICE_ALIAS, familyOfDevice } from '../../kernel/marks.ts'
import { bestAddress } from './best-address.ts'
import type { HostAddresses } from './underlay.ts'

/** An interface that could be the underlay. */
export interface Candidate {
  readonly link: LinkState
  /** Set when it is this very address that was asked for. */
  readonly address: AddressState | undefined
}

/** By whatever name: its own, or an altname. */
export const goesBy = ({ name, altNames }: LinkState, text: string): boolean =>
  name === text || altNames?.includes(text) === true

/** By name or by address (`--iface`). */
export function named(host: HostAddresses, text: string): Candidate | undefined {
  const wantedIp = parseIp(text)
  if (wantedIp !== undefined) return withAddress(host, wantedIp)
  const link = host.links.find((one) => goesBy(one, text))
  return link && { link, address: undefined }
}

/** The one that has an address. */
export function withAddress(host: HostAddresses, wanted: Ip): Candidate | undefined {
  const address = host.addresses.find(({ ip }) => sameIp(ip, wanted))
  const link = host.links.find(({ index }) => index === address?.linkIndex)
  return link && { link, address }
}

/**
 * The first interface that a regular expression fits (`--iface-regex`): by an address of the family, else by one of its names, as upstream
 * looks, else by an address of the other family; but before all others the one with a `known` address. Loopback and our own devices do
 * not count.
 */
export function matching(
  host: HostAddresses,
  regex: TextPattern,
  family: Family,
  known: readonly Ip[],
): Candidate | undefined {
  const links = host.links.filter(canCarryTunnels)
  const addressed = links.filter((link) => bestAddress(host.addresses, link, family) !== undefined)
  const isMatch = ({ name, altNames = [] }: LinkState): boolean => [name, ...altNames].some((one) => regex.test(one))
  for (const ip of known.filter((one) => one.family === family)) {
    const found = withAddress(host, ip)
    if (found !== undefined && canCarryTunnels(found.link) && (regex.test(ip.text) || isMatch(found.link))) return found
  }
  for (const link of addressed) {
    const address = bestAddress(matchingAddresses(host, link, [regex]), link, family)
    if (address !== undefined) return { link, address }
  }
  const other = addressed.find((candidate) => matchingAddresses(host, candidate, [regex]).length > 0)
  const link = addressed.find(isMatch) ?? other
  return link && { link, address: undefined }
}

export const matchingAddresses = (
  host: HostAddresses,
  link: LinkState,
  regexes: readonly TextPattern[],
): readonly AddressState[] =>
  host.addresses.filter(({ linkIndex, ip }) => linkIndex === link.index && regexes.some((regex) => regex.test(ip.text)))

/**
 * That of the kernel's route to an address (`--iface-can-reach`), with the address packets to there would come from; where that stands on
 * another interface, such as lo, that one.
 */
export function reaching({ links, addresses, reach }: HostAddresses, family: Family): Candidate | undefined {
  const through = links.find((candidate) => candidate.index === reach?.linkIndex && canCarryTunnels(candidate))
  if (through === undefined) return undefined
  const source = addresses.find(
    ({ ip }) => ip.family === family && reach?.source !== undefined && sameIp(ip, reach.source),
  )
  return { link: links.find(({ index }) => index === source?.linkIndex) ?? through, address: source }
}

export function byDefaultRoute(host: HostAddresses, family: Family): Candidate | undefined {
  const best = defaultRoutes(host, family).reduce<RouteState | undefined>(
    (a, b) => (a !== undefined && a.metric <= b.metric ? a : b),
    undefined,
  )
  const link = host.links.find(({ index }) => index === best?.linkIndex)
  return link && { link, address: undefined }
}

const defaultRoutes = (host: HostAddresses, family: Family): readonly RouteState[] =>
  host.routes.filter(
    ({ destination, linkIndex }) =>
      destination.family === family && destination.length === 0 && linkIndex !== undefined,
  )

/** Gateways of the default routes through an interface. */
export const gatewaysOf = (host: HostAddresses, link: LinkState, family: Family): readonly Ip[] =>
  defaultRoutes(host, family).flatMap(({ linkIndex, gateway }) =>
    linkIndex === link.index && gateway !== undefined ? [gateway] : [],
  )

/** A device of ours, of whatever kind and name, or of upstream's. */
export const isOurDevice = ({ name, alias }: LinkState): boolean =>
  alias === DEVICE_ALIAS || familyOfDevice(name) !== undefined

/** Tunnels do not run on themselves. */
const canCarryTunnels = (link: LinkState): boolean => !link.loopback && !isOurDevice(link)

/** Every interface that could be asked for, with its addresses of the family; those that cannot be used are marked. */
export function listCandidates(host: HostAddresses, family: Family): string {
  const candidates = host.links.filter(canCarryTunnels).flatMap((link) => {
    const own = host.addresses.filter(({ linkIndex, ip }) => linkIndex === link.index && ip.family === family)
    const shown = own.map((address) =>
      bestAddress([address], link, family) === undefined ? `${address.ip.text}, not usable` : address.ip.text,
    )
    return shown.length === 0 ? [] : [`${link.name} (${shown.join(', ')})`]
  })
  return candidates.join(', ') || 'none'
}
