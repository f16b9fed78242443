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

/** Address of the device itself: the base of our subnet, on which peers' routes have their gateway. */
export const vtepAddress = (vtep: Vtep): Ip => vtep.subnet.base
