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
  /** Set where {@link carriesNothing} is so of the interface, as soon as it is known. */
  readonly way?: Way | undefined
}

/** What packets to peers leave by, where our address stands on an interface that sends none. */
export interface Way {
  /** The smallest of theirs, in octets. */
  readonly mtu: number
  readonly links: readonly LinkState[]
}

/** Whether addresses on the interface are the host's as a whole, as with BGP to the host: packets leave by others, whatever routes say. */
export const carriesNothing = ({ loopback, kind }: LinkState): boolean => loopback || kind === 'dummy'

/** Of what carries the outer packets, in octets. */
export const mtuOf = ({ link, way }: Pick<Underlay, 'link' | 'way'>): number => way?.mtu ?? link.mtu
