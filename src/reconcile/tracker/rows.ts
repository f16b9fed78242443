import type { RouteExtra } from '../../kernel/kernel.ts'
import type { RouteProtocol } from '../../kernel/words.ts'
import type { Ip } from '../../net/ip.ts'
import type { Mac } from '../../net/mac.ts'
import type { Prefix } from '../../net/prefix.ts'

/** A permanent neighbour (ARP or ND) entry: the overlay gateway `ip` is at `mac`. Keyed by address, as in the kernel. */
export interface NeighbourEntry {
  readonly ip: Ip
  readonly mac: Mac
}

/** A forwarding entry of the VXLAN device: frames for `mac` go to the VTEP at `remote`. Keyed by MAC. */
export interface FdbEntry {
  readonly mac: Mac
  readonly remote: Ip
  /** Somebody has given it another port, VNI or link; absent in all that peers want. */
  readonly astray?: true | undefined
}

/** A route to a peer's subnet. Keyed by destination, gateway, metric and protocol. */
export interface RouteEntry {
  readonly destination: Prefix
  readonly gateway: Ip | undefined
  readonly metric: number
  readonly protocol: RouteProtocol
  /** The gateway counts as directly reachable. */
  readonly onlink: boolean
  /** What somebody else has made of it; absent, as in all that peers want: nothing. */
  readonly alterations?: readonly RouteAlteration[] | undefined
}

/** `nexthop`: packets are spread over several; `scope`: another than its gateway asks for. */
export type RouteAlteration = RouteExtra | 'nexthop' | 'scope'
