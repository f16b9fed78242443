import { isHandedOut, type OverlayNetwork } from '../../config/network.ts'
import type { AddressState, LinkState } from '../../kernel/kernel.ts'
import type { HostAddresses } from './underlay.ts'
import { gatewaysOf, isOurDevice } from './interface-candidates.ts'

/** Kinds of link (IFLA_INFO_KIND) that containers are attached to. A card has none. */
const OF_CONTAINERS: ReadonlySet<string> = new Set(['bridge', 'openvswitch'])

/**
 * The overlay that an address of this host belongs to, as that of a bridge of containers does: it is one that nodes' subnets are made of,
 * and its network is no larger than such a subnet. A larger one, one with a gateway that leads elsewhere, or one on a card is the hosts'
 * own, over which `Network` was laid.
 */
function overlayOf(
  host: HostAddresses,
  link: LinkState,
  { ip, prefixLength }: AddressState,
  overlays: readonly OverlayNetwork[],
): OverlayNetwork | undefined {
  const overlay = overlays.find((one) => isHandedOut(one, ip))
  if (overlay === undefined || prefixLength < overlay.subnetLength) return undefined
  if (link.kind === undefined || !OF_CONTAINERS.has(link.kind)) return undefined
  return gatewaysOf(host, link, ip.family).length > 0 ? undefined : overlay
}

/** Why an address is the overlay's own, so that tunnels cannot run on it, in words; undefined: it is not. */
export function whyOfOverlay(
  host: HostAddresses,
  address: AddressState,
  overlays: readonly OverlayNetwork[],
): string | undefined {
  const link = host.links.find(({ index }) => index === address.linkIndex)
  if (link === undefined) return undefined
  if (isOurDevice(link)) return `${link.name} is a device of the overlay`
  const overlay = overlayOf(host, link, address, overlays)
  return overlay && `${address.ip.text} of ${link.name} lies inside Network ${overlay.network.text}`
}

/** The host with those addresses only that tunnels can run on, however they are chosen. */
export const withoutOverlay = (host: HostAddresses, overlays: readonly OverlayNetwork[]): HostAddresses => ({
  ...host,
  addresses: host.addresses.filter((address) => whyOfOverlay(host, address, overlays) === undefined),
})
