import type { NetworkConfig } from '../../config/network.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { Family, Ip } from '../../net/ip.ts'
import { hostPrefix, type Prefix } from '../../net/prefix.ts'

/** The underlay, and what else a lease must not cover. */
export interface HostNetwork {
  readonly config: NetworkConfig
  /** By family of the overlay. */
  readonly underlays: ReadonlyMap<Family, Underlay>
  /** Addresses of the subnet manager, as far as they are known. */
  readonly endpoints: readonly Ip[]
  /** Other networks of this host in the overlay's range. */
  readonly others?: readonly Prefix[]
  /** What our lease says of our address has not been asked yet. */
  readonly isAddressOpen?: true | undefined
}

/** What must stay reachable over the underlay: no subnet, a peer's or our own, may cover any of it. */
export const protectedPrefixes = ({ underlays, endpoints }: HostNetwork): readonly Prefix[] => [
  ...[...underlays.values()].flatMap(({ prefix, address, publicIp, gateways }) => [
    prefix,
    ...[address, publicIp, ...gateways].map(hostPrefix),
  ]),
  ...endpoints.map(hostPrefix),
]
