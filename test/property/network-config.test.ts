import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/config/error.ts'
import { reservedNetwork } from '../../src/config/reserved-networks.ts'
import { parseNetworkConfig, subnetFits, type NetworkConfig } from '../../src/config/network.ts'
import { ipToInteger } from '../../src/net/ip.ts'
import { prefixContains, prefixOf, type Prefix } from '../../src/net/prefix.ts'
import { brokenJson, prefixIn } from './arbitraries.ts'

/** Sensible fields with sensible and senseless content. */
const config = fc
  .record(
    {
      Network: fc.oneof(
        prefixIn(4, 0, 32).map(({ text }) => text),
        fc.jsonValue(),
      ),
      EnableIPv4: fc.oneof(fc.boolean(), fc.jsonValue()),
      EnableIPv6: fc.oneof(fc.boolean(), fc.jsonValue()),
      IPv6Network: fc.oneof(
        prefixIn(6, 0, 128).map(({ text }) => text),
        fc.jsonValue(),
      ),
      SubnetLen: fc.oneof(fc.integer({ min: -1, max: 40 }), fc.jsonValue()),
      IPv6SubnetLen: fc.oneof(fc.integer({ min: -1, max: 130 }), fc.jsonValue()),
      SubnetMin: fc.oneof(fc.ipV4(), fc.jsonValue()),
      SubnetMax: fc.oneof(fc.ipV4(), fc.jsonValue()),
      Backend: fc.oneof(
        fc.record(
          {
            Type: fc.oneof(fc.constant('vxlan'), fc.jsonValue()),
            VNI: fc.oneof(fc.nat(), fc.jsonValue()),
            MTU: fc.jsonValue(),
          },
          { requiredKeys: [] },
        ),
        fc.jsonValue(),
      ),
    },
    { requiredKeys: [] },
  )
  .map((fields) => JSON.stringify(fields))

function tryParse(text: string): NetworkConfig | ConfigError {
  try {
    return parseNetworkConfig(text)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

describe('the network configuration', () => {
  it('is read or refused with field, rule and value, whatever it says', () => {
    fc.assert(
      fc.property(fc.oneof(config, brokenJson(config), fc.string({ unit: 'binary' }), fc.json()), (text) => {
        const result = tryParse(text)
        if (!(result instanceof ConfigError)) return
        expect(result.message).toBe(`${result.path}: expected ${result.expected}, found ${result.got}`)
        expect(result.message.length).toBeLessThan(600)
      }),
      { numRuns: 3_000 },
    )
  })

  it('has bounds that lie in the network, on a boundary, in order, once it is read', () => {
    const isUsable = (network: Prefix): boolean => reservedNetwork(network) === undefined
    const length = prefixIn(4, 4, 28)
      .filter(isUsable)
      .chain((network) =>
        fc.record({
          Network: fc.constant(network.text),
          SubnetLen: fc.option(fc.integer({ min: network.length + 2, max: 30 }), { nil: undefined }),
          EnableIPv6: fc.boolean(),
          IPv6Network: prefixIn(6, 1, 124)
            .filter(isUsable)
            .map(({ text }) => text),
        }),
      )
    fc.assert(
      fc.property(length, (fields) => {
        for (const { network, subnetLength, subnetMin, subnetMax, ...rest } of parseNetworkConfig(
          JSON.stringify(fields),
        ).overlays) {
          for (const bound of [subnetMin, subnetMax]) {
            expect(prefixContains(network, bound)).toBe(true)
            expect(
              subnetFits({ network, subnetLength, subnetMin, subnetMax, ...rest }, prefixOf(bound, subnetLength)),
            ).toBe(true)
          }
          expect(subnetLength - network.length).toBeGreaterThanOrEqual(2)
          expect(ipToInteger(subnetMin)).toBeLessThanOrEqual(ipToInteger(subnetMax))
        }
      }),
    )
  })
})
