import { ipToInteger, type Ip } from '../net/ip.ts'
import { prefixCovers, prefixOf, type Prefix } from '../net/prefix.ts'
import { ConfigError } from './error.ts'
import type { NetworkConfig, OverlayNetwork } from './network.ts'

/** The underlay as the overlay must leave it alone. */
export interface UnderlayNetwork {
  /** Our own address on it. */
  readonly address: Ip
  /** The network of that address. */
  readonly prefix: Prefix
  readonly gateways: readonly Ip[]
}

const FIELD = { 4: 'Network', 6: 'IPv6Network' } as const

/**
 * Refuses an overlay that lies in the underlay's own network and hands out subnets over this host or its gateway: their routes would
 * take the packets that are to carry the overlay. One that lies beside them is legitimate (10.5.0.0/16 on an underlay of 10.0.0.0/8),
 * and so is one that is wider than the underlay: there, single subnets are avoided.
 * @throws {ConfigError}
 */
export function refuseSwallowing(config: NetworkConfig, underlay: UnderlayNetwork): void {
  for (const overlay of config.overlays) {
    if (!prefixCovers(underlay.prefix, overlay.network)) continue
    const swallowed = [underlay.address, ...underlay.gateways].find((ip) => isHandedOut(overlay, ip))
    if (swallowed === undefined) continue
    const whose = swallowed === underlay.address ? 'our own' : "our gateway's"
    const rule = `no network over the underlay ${underlay.prefix.text}: its subnets would cover ${swallowed.text}, ${whose} address`
    throw new ConfigError(FIELD[overlay.family], rule, overlay.network.text)
  }
}

/** Whether some node's subnet may cover the address. */
function isHandedOut({ family, subnetMin, subnetMax, subnetLength }: OverlayNetwork, address: Ip): boolean {
  if (address.family !== family) return false
  const base = ipToInteger(prefixOf(address, subnetLength).base)
  return base >= ipToInteger(subnetMin) && base <= ipToInteger(subnetMax)
}
