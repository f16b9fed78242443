import type { Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { LinkState } from './kernel.ts'

/** The underlay interface, and the addresses tunnels use on it. */
export interface Underlay {
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
