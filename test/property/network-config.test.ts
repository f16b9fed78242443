import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareConfig } from '../../src/config/compare.ts'
import { ConfigError } from '../../src/config/error.ts'
import { reservedNetwork } from '../../src/config/reserved-networks.ts'
import { parseNetworkConfig, subnetFits, type NetworkConfig } from '../../src/config/network.ts'
import { ipToInteger } from '../../src/net/ip.ts'
import { prefixContains, prefixOf, type Prefix } from '../../src/net/prefix.ts'
import { brokenJson, prefixIn, rarely, rawText } from './arbitraries.ts'

const anything: fc.Arbitrary<unknown> = fc.jsonValue({ maxDepth: 2 })
const flag = rarely<unknown>(fc.boolean(), anything)
const prefixText = (family: 4 | 6, from: number, to: number): fc.Arbitrary<string> =>
  prefixIn(family, from, to).map(({ text }) => text)

/** Settings of all backends, on any of them. */
const backend = fc.record(
  {
    Type: rarely<unknown>(
      fc.constantFrom('vxlan', 'VXLAN', 'host-gw', 'alloc'),
      fc.constantFrom('udp', 'extension', '__proto__'),
      anything,
    ),
    VNI: rarely<unknown>(fc.integer({ min: 0, max: 0xff_ffff }), fc.integer(), anything),
    Port: rarely<unknown>(fc.integer({ min: 0, max: 65_535 }), fc.integer(), anything),
    MTU: rarely<unknown>(fc.constantFrom(0, 576, 1500, 9000), fc.integer(), anything),
    GBP: flag,
    Learning: flag,
    DirectRouting: flag,
  },
  { requiredKeys: [] },
)

/** The same with every second name in lower case, and the others in upper case, as Go reads them. */
const inAnyCase = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const spelt = Object.entries(value).map(([name, content], at): readonly [string, unknown] => [
    at % 2 === 0 ? name.toLowerCase() : name.toUpperCase(),
    name === 'Backend' ? inAnyCase(content) : content,
  ])
  return Object.fromEntries(spelt)
}

/** Sensible fields with mostly sensible content. */
const fieldsOfConfig = fc.record(
  {
    Network: rarely<unknown>(prefixText(4, 8, 24), prefixText(4, 0, 32), anything),
    EnableIPv4: rarely<unknown>(fc.constant(true), flag),
    EnableIPv6: flag,
    EnableNFTables: flag,
    IPv6Network: rarely<unknown>(prefixText(6, 16, 64), prefixText(6, 0, 128), anything),
    SubnetLen: rarely<unknown>(fc.integer({ min: 20, max: 30 }), fc.integer({ min: -1, max: 40 }), anything),
    IPv6SubnetLen: rarely<unknown>(fc.integer({ min: 64, max: 126 }), fc.integer({ min: -1, max: 130 }), anything),
    SubnetMin: rarely<unknown>(fc.constant(null), fc.ipV4(), anything),
    SubnetMax: rarely<unknown>(fc.constant(null), fc.ipV4(), anything),
    IPv6SubnetMin: rarely<unknown>(fc.constant(null), fc.ipV6(), anything),
    IPv6SubnetMax: rarely<unknown>(fc.constant(null), fc.ipV6(), anything),
    Backend: rarely<unknown>(backend, anything),
  },
  { requiredKeys: ['Network'] },
)
const config = fc.oneof(
  fieldsOfConfig.map((fields) => JSON.stringify(fields)),
  fieldsOfConfig.map((fields) => JSON.stringify(inAnyCase(fields))),
)

/** Valid settings of vxlan, each of which may be missing. */
const validBackend = fc.record(
  {
    Type: fc.constantFrom('vxlan', 'VXLAN'),
    VNI: fc.constantFrom(1, 100),
    Port: fc.constantFrom(0, 8472, 7890),
    MTU: fc.constantFrom(0, 1400, 1500),
    GBP: fc.boolean(),
    Learning: fc.boolean(),
    DirectRouting: fc.boolean(),
  },
  { requiredKeys: [] },
)

const VALID_FIELDS = {
  Network: fc.constantFrom('10.0.0.0/8', '172.16.0.0/12'),
  SubnetLen: fc.constantFrom(0, 20, 24),
  SubnetMin: fc.constantFrom(null, '10.16.0.0'),
  SubnetMax: fc.constantFrom(null, '10.64.0.0'),
  EnableIPv6: fc.boolean(),
  IPv6Network: fc.constantFrom('fd00:10::/48', 'fd00:11::/48'),
  IPv6SubnetLen: fc.constantFrom(0, 56, 64),
  EnableNFTables: fc.boolean(),
}

/** One that is mostly valid: its bounds lie in one of the networks only. */
const almostValid = fc
  .record({
    ...VALID_FIELDS,
    Backend: fc.oneof(validBackend, fc.record({ Type: fc.constantFrom('host-gw', 'alloc') })),
  })
  .map((fields) => (fields.Network === '10.0.0.0/8' ? fields : { ...fields, SubnetMin: null, SubnetMax: null }))

/** A configuration, and what somebody has made of it: a field or two changed, seldom all, now and then to nonsense. */
const successors = fc
  .tuple(
    almostValid,
    rarely<object>(
      fc.record({ ...VALID_FIELDS, Backend: validBackend }, { requiredKeys: [] }),
      fc.constant({}),
      almostValid,
      fc.record({ SubnetLen: anything, Backend: anything }, { requiredKeys: [] }),
    ),
    fc.array(fc.nat(), { maxLength: 3 }),
  )
  .map(([before, changes, chosen]) => {
    const names = Object.keys(changes)
    const picked = new Set(chosen.map((at) => names[at % names.length]))
    const few = Object.entries(changes).filter(([name]) => picked.has(name))
    return [before, { ...before, ...Object.fromEntries(few) }].map((fields) => JSON.stringify(fields))
  })

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
      fc.property(fc.oneof(config, brokenJson(config), rawText, fc.json()), (text) => {
        const result = tryParse(text)
        if (!(result instanceof ConfigError)) return
        expect(result.message).toBe(`${result.path}: expected ${result.expected}, found ${result.got}`)
        expect(result.message.length).toBeLessThan(600)
      }),
      { numRuns: 3_000 },
    )
  })

  it('means the same in any spelling', () => {
    fc.assert(
      fc.property(fieldsOfConfig, (fields) => {
        const [one, other] = [tryParse(JSON.stringify(fields)), tryParse(JSON.stringify(inAnyCase(fields)))]
        expect(other instanceof ConfigError).toBe(one instanceof ConfigError)
        if (!(one instanceof ConfigError)) expect(other).toEqual(one)
      }),
      { numRuns: 1_000 },
    )
  })

  it('in force is followed or left as it is by any other: each field that differs is named once, and then no more', () => {
    const seen = { compared: 0, followed: 0, refused: 0, same: 0 }
    fc.assert(
      fc.property(successors, (texts) => {
        const [current, next] = texts.map(tryParse)
        if (current === undefined || next === undefined) return
        if (current instanceof ConfigError || next instanceof ConfigError) return
        const { applied, followed, refused } = compareConfig(current, next)
        const paths = [...followed, ...refused].map(({ path }) => path)
        expect(new Set(paths).size).toBe(paths.length)
        expect(compareConfig(applied, next).followed).toEqual([])
        expect(compareConfig(applied, next).refused).toEqual(refused)
        expect(compareConfig(current, current)).toEqual({ applied: current, followed: [], refused: [] })
        if (refused.length === 0) expect(applied).toEqual(next)
        if (paths.length === 0) expect(next).toEqual(current)
        seen.compared += 1
        seen.followed += followed.length > 0 ? 1 : 0
        seen.refused += refused.length > 0 ? 1 : 0
        seen.same += paths.length === 0 ? 1 : 0
      }),
      { numRuns: 1_000 },
    )
    expect(seen.compared).toBeGreaterThan(700)
    for (const count of [seen.followed, seen.refused, seen.same]) expect(count).toBeGreaterThan(30)
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
