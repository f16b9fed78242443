import { isHandedOut, type OverlayNetwork } from '../../config/network.ts'
import { addressBits, sameIp, type Ip } from '../../net/ip.ts'
import { isReachableUnicast, prefixContains, prefixCovers, prefixesOverlap, type Prefix } from '../../net/prefix.ts'
import type { LeaseFamily } from '../lease.ts'
import { rejectedFor, type Rejected } from '../rejection.ts'

/** What a peer must not trample on. */
export interface PeerLimits {
  readonly overlays: readonly OverlayNetwork[]
  /** Our own subnets. */
  readonly own: readonly Prefix[]
  /** The addresses that we publish. */
  readonly ownPublicIps: readonly Ip[]
  /** The interface of this host that has an address; undefined: none has. */
  readonly interfaceOf: (ip: string) => string | undefined
  /**
   * What must stay reachable over the underlay: etcd, the gateway and our own addresses, as host prefixes, and the prefix of the
   * underlay interface. A peer's subnet may not cover one of them; lying within one is no harm (overlay 10.5.0.0/16 on 10.0.0.0/8).
   */
  readonly protectedPrefixes: readonly Prefix[]
  /**
   * Other networks that this host needs, in the range of the overlay: no subnet may cover one, but those that it concedes. One that lies
   * within wins by its longer prefix, as within the underlay's. Absent: none.
   */
  readonly others?: readonly OtherNeeds[]
}

/** What a host needs of the overlay's range. */
export interface OtherNeeds {
  readonly prefix: Prefix
  /** In words. */
  readonly what: string
  /** Subnets, by their text, that stood before it. */
  readonly conceded: ReadonlySet<string>
}

/**
 * Why a lease's claim for one family cannot be honoured; undefined when it can. Peers are input, not truth.
 * @param owner whose it is, in words; undefined: it names our own id
 */
export function peerObjection(part: LeaseFamily, around: PeerLimits, owner: string | undefined): Rejected | undefined {
  const { subnet } = part
  const overlay = around.overlays.find(({ family }) => family === part.family)
  const overlapped = around.own.find((own) => prefixesOverlap(own, subnet))
  if (overlay === undefined) return rejectedFor('other_network', `the network has no IPv${part.family}`)
  if (!prefixCovers(overlay.network, subnet))
    return rejectedFor('other_network', `subnet ${subnet.text} is outside Network ${overlay.network.text}`)
  if (overlapped !== undefined)
    return rejectedFor('own_subnet', `subnet ${subnet.text} overlaps our own ${overlapped.text}`)
  return addressObjection(part, around, owner) ?? networkObjection(part, around)
}

/** Why nobody is reached at its PublicIP. */
function addressObjection(
  { publicIp }: LeaseFamily,
  around: PeerLimits,
  owner: string | undefined,
): Rejected | undefined {
  if (!isReachableUnicast(publicIp))
    return rejectedFor('impossible_public_ip', `PublicIP ${publicIp.text} is not an address another host can have`)
  const broadcast = around.protectedPrefixes.find((network) => isNetworkOrBroadcast(publicIp, network))
  if (broadcast !== undefined)
    return rejectedFor(
      'impossible_public_ip',
      `PublicIP ${publicIp.text} is the network or broadcast address of the underlay's ${broadcast.text}`,
    )
  if (around.own.some((own) => prefixContains(own, publicIp)))
    return rejectedFor('impossible_public_ip', `PublicIP ${publicIp.text} is within our own subnet`)
  const link = around.interfaceOf(publicIp.text)
  if (link !== undefined || around.ownPublicIps.some((own) => sameIp(own, publicIp)))
    return owner === undefined
      ? rejectedFor(
          'own_public_ip',
          `PublicIP ${publicIp.text} is our own, and so is the node id: a lease that this node had before, or of a copy of its machine`,
        )
      : rejectedFor(
          'own_public_ip',
          `PublicIP ${publicIp.text} is our own${link === undefined ? '' : `, on ${link}`}: ${owner} needs another, by --iface there`,
        )
  return undefined
}

/** Why packets to its PublicIP, or others that the underlay carries, would go into the overlay. */
function networkObjection({ subnet, publicIp }: LeaseFamily, around: PeerLimits): Rejected | undefined {
  if (prefixContains(subnet, publicIp))
    return rejectedFor('public_ip_in_network', `subnet ${subnet.text} covers its own PublicIP ${publicIp.text}`)
  const swallowed = around.protectedPrefixes.find((needed) => prefixCovers(subnet, needed))
  if (swallowed !== undefined)
    return rejectedFor('covers_underlay', `subnet ${subnet.text} covers ${swallowed.text}, which the underlay needs`)
  const other = around.others?.find(
    ({ prefix, conceded }) => prefixCovers(subnet, prefix) && !conceded.has(subnet.text),
  )
  if (other !== undefined)
    return rejectedFor(
      'covers_host_network',
      `subnet ${subnet.text} covers ${other.prefix.text}, ${other.what} of this host`,
    )
  const overlay = overlayOver(publicIp, around)
  if (overlay === undefined) return undefined
  return rejectedFor(
    'public_ip_in_network',
    `PublicIP ${publicIp.text} lies inside Network ${overlay.network.text}, whose addresses are for containers`,
  )
}

/**
 * The overlay that hands a PublicIP out to containers. Where `Network` was laid over the network of the hosts, which is that of our own
 * underlay, its addresses are hosts' nevertheless.
 */
function overlayOver(publicIp: Ip, { overlays, protectedPrefixes }: PeerLimits): OverlayNetwork | undefined {
  const overlay = overlays.find((one) => isHandedOut(one, publicIp))
  const isOfHosts = (network: Prefix): boolean =>
    isHost(network) ? overlay !== undefined && isHandedOut(overlay, network.base) : prefixContains(network, publicIp)
  return protectedPrefixes.some(isOfHosts) ? undefined : overlay
}

const isHost = ({ family, length }: Prefix): boolean => length === addressBits(family)

/** All zeros or all ones behind the prefix (RFC 1122 section 3.2.1.3); a /31 has neither (RFC 3021), nor has IPv6. */
function isNetworkOrBroadcast(address: Ip, network: Prefix): boolean {
  const hostBits = addressBits(network.family) - network.length
  if (network.family !== 4 || hostBits < 2 || !prefixContains(network, address)) return false
  const behind = address.word0 & (hostBits === 32 ? -1 : (1 << hostBits) - 1)
  return behind === 0 || ~behind << (32 - hostBits) === 0
}
