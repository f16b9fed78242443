import type { OverlayNetwork } from '../../config/network.ts'
import type { Family, Ip } from '../../net/ip.ts'
import type { Mac } from '../../net/mac.ts'
import type { Prefix } from '../../net/prefix.ts'

/** Our own tunnel end point for one address family: everything that peer entries and the device are derived from. */
export interface Vtep {
  readonly family: Family
  readonly vni: number
  readonly mac: Mac
  /** Our own container subnet. */
  readonly subnet: Prefix
  readonly overlay: OverlayNetwork
}

/** Longest name of a link, in characters (linux/if.h: IFNAMSIZ, less the terminating zero). */
const LONGEST_NAME = 15

/** Before the VNI: upstream's prefix, and one of ours for VNIs that leave no room for it. */
const NAME_PREFIXES = { 4: ['flannel.', 'flan.'], 6: ['flannel-v6.', 'flan6.'] } as const

/**
 * Name of the device for a VNI: `flannel.100`, `flannel-v6.100`; where that is longer than Linux allows (IPv4 from VNI 10 000 000, IPv6
 * from 10 000) `flan.10000000`, `flan6.10000`.
 */
export function deviceName(family: Family, vni: number): string {
  const [usual, short] = NAME_PREFIXES[family]
  const name = `${usual}${vni}`
  return name.length <= LONGEST_NAME ? name : `${short}${vni}`
}

/** Address of the device itself: the base of our subnet, on which peers' routes have their gateway. */
export const vtepAddress = (vtep: Vtep): Ip => vtep.subnet.base
