import type { Underlay } from '../../kernel/underlay.ts'
import { prefixContains, prefixCovers, type Prefix } from '../../net/prefix.ts'
import { ConfigError } from '../../config/error.ts'
import { isHandedOut, type NetworkConfig, type OverlayNetwork } from '../../config/network.ts'

const FIELD = { 4: 'Network', 6: 'IPv6Network' } as const

/**
 * Refuses an overlay that lies in the underlay's own network and hands out subnets over this host or its gateway: their routes would
 * take the packets that are to carry the overlay. One that lies beside them is legitimate (10.5.0.0/16 on an underlay of 10.0.0.0/8),
 * and so is one that is wider than the underlay: there, single subnets are avoided.
 * @throws {ConfigError}
 */
export function refuseSwallowing(
  config: NetworkConfig,
  { address, prefix, gateways }: Pick<Underlay, 'address' | 'prefix' | 'gateways'>,
): void {
  for (const overlay of config.overlays) {
    refuseOnlyOver(overlay, prefix)
    if (!prefixCovers(prefix, overlay.network)) continue
    const swallowed = [address, ...gateways].find((ip) => isHandedOut(overlay, ip))
    if (swallowed === undefined) continue
    const whose = swallowed === address ? 'our own' : "our gateway's"
    const rule = `no network over the underlay ${prefix.text}: its subnets would cover ${swallowed.text}, ${whose} address`
    throw new ConfigError(FIELD[overlay.family], rule, overlay.network.text)
  }
}

/** Where each subnet that could be given out lies over the underlay, there is none to take. @throws {ConfigError} */
function refuseOnlyOver({ family, network, subnetMin, subnetMax }: OverlayNetwork, prefix: Prefix): void {
  if (!prefixCovers(network, prefix) || network.length === prefix.length) return
  if (!prefixContains(prefix, subnetMin) || !prefixContains(prefix, subnetMax)) return
  const rule = `subnets beside the underlay ${prefix.text}: all from ${subnetMin.text} to ${subnetMax.text} would cover hosts there`
  throw new ConfigError(FIELD[family], rule, network.text)
}

/** Networks of the overlay that are laid over the underlay's own: that works but for what is not masqueraded, and single subnets are avoided. */
export const laidOver = (
  { overlays }: NetworkConfig,
  { address, prefix }: Pick<Underlay, 'address' | 'prefix'>,
): readonly Prefix[] =>
  overlays.flatMap(({ network }) =>
    prefixContains(network, address) && !prefixCovers(prefix, network) ? [network] : [],
  )
