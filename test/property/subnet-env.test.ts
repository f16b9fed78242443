import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseSubnets, renderSubnetEnv } from '../../src/host/subnet-env.ts'
import { OVERLAY, overlayOf } from '../fake/samples.ts'
import { prefixIn } from './arbitraries.ts'

const OVERLAY_V6 = overlayOf('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:10::/48"}')

describe('the subnet file', () => {
  it('gives back the subnets it was written with', () => {
    fc.assert(
      fc.property(
        prefixIn(4, 2, 30),
        fc.option(prefixIn(6, 2, 126)),
        fc.nat(65_535),
        fc.boolean(),
        (v4, v6, mtu, ipMasq) => {
          const subnets = [
            { overlay: OVERLAY, subnet: v4 },
            ...(v6 === null ? [] : [{ overlay: OVERLAY_V6, subnet: v6 }]),
          ]
          expect(parseSubnets(renderSubnetEnv({ subnets, mtu, ipMasq }))).toEqual(subnets.map(({ subnet }) => subnet))
        },
      ),
    )
  })

  it('is read without a throw, whatever it says', () => {
    const line = fc.oneof(
      fc.string(),
      fc.string().map((value) => `FLANNEL_SUBNET=${value}`),
    )
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        expect(parseSubnets(lines.join('\n')).length).toBeLessThanOrEqual(2)
      }),
    )
  })
})
