import type { OverlayNetwork } from '../config/network.ts'
import { prefixCovers, prefixOf, subnetIndex, type Prefix } from '../net/prefix.ts'

export interface SubnetUse {
  /** How many subnets nodes may have, from SubnetMin to SubnetMax. */
  readonly all: number
  /** Of them, how many cannot be had any more because of these leases. */
  readonly leased: number
}

/** How an overlay's subnets are handed out. What is no larger than a subnet spoils exactly one; the same one counts once. */
export function subnetUse(overlay: OverlayNetwork, leases: Iterable<Prefix>): SubnetUse {
  const { network, subnetLength, subnetMin, subnetMax } = overlay
  const indexOf = (address: Prefix['base']): bigint => subnetIndex(network, prefixOf(address, subnetLength))
  const [first, last] = [indexOf(subnetMin), indexOf(subnetMax)]
  const taken = new Set<bigint>()
  let wide = 0
  for (const lease of leases) {
    if (lease.family !== overlay.family || !prefixCovers(network, lease)) continue
    const at = indexOf(lease.base)
    if (lease.length < subnetLength) wide += 2 ** (subnetLength - lease.length)
    else if (at >= first && at <= last) taken.add(at)
  }
  const all = Number(last - first) + 1
  return { all, leased: Math.min(all, taken.size + wide) }
}
