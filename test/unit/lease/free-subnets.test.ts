import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseNetworkConfig, type OverlayNetwork } from '../../../src/config/network.ts'
import { freeSubnets } from '../../../src/lease/free-subnets.ts'
import { prefix, prefixesOverlap, subnetAt, type Prefix } from '../../../src/net/prefix.ts'

const overlayOf = (text: string, at = 0): OverlayNetwork => {
  const overlay = parseNetworkConfig(text).overlays[at]
  if (overlay === undefined) throw new Error('no such family')
  return overlay
}

const OVERLAY = overlayOf('{"Network":"10.0.0.0/24","SubnetLen":28,"SubnetMin":"10.0.0.32","SubnetMax":"10.0.0.208"}')

/** One by one. */
function countFree(taken: readonly Prefix[]): number {
  const all = Array.from({ length: 16 }, (_, at) => subnetAt(OVERLAY.network, 28, BigInt(at))).slice(2, 14)
  return all.filter((subnet) => !taken.some((one) => prefixesOverlap(one, subnet))).length
}

describe('free subnets', () => {
  it('are those between the bounds that no lease of any size touches', () => {
    const subnet = fc
      .tuple(fc.integer({ min: 20, max: 32 }), fc.integer({ min: 0, max: 255 }))
      .map(([length, octet]) => prefix(`10.0.0.${octet}/${length}`))
    fc.assert(
      fc.property(fc.array(subnet, { maxLength: 8 }), (taken) => {
        const { total, free } = freeSubnets(OVERLAY, taken)
        expect([total, free]).toEqual(['12', String(countFree(taken))])
      }),
    )
  })

  it('of IPv6 are counted beyond what numbers can tell apart', () => {
    const text = '{"Network":"10.0.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/8","IPv6SubnetLen":64}'
    const overlay = overlayOf(text, 1)
    const { total, free } = freeSubnets(overlay, [prefix('fd00:0:0:5::/64'), prefix('fe00::/64')])
    expect([BigInt(total), BigInt(free)]).toEqual([2n ** 56n - 1n, 2n ** 56n - 2n])
  })
})
