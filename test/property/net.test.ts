import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipFromBytes, ipFromInteger, ipToInteger, parseIp } from '../../src/net/ip.ts'
import { macFromBytes, macToBytes, parseMac } from '../../src/net/mac.ts'
import {
  parsePrefix,
  prefixContains,
  prefixCovers,
  prefixesOverlap,
  prefixOf,
  subnetAt,
  subnetIndex,
} from '../../src/net/prefix.ts'
import { anyIp, anyMac, anyPrefix, family, ipOf, withDefects } from './arbitraries.ts'

describe('addresses', () => {
  it('survive text, octets and integers', () => {
    fc.assert(
      fc.property(anyIp, (address) => {
        expect(parseIp(address.text)).toEqual(address)
        expect(ipFromBytes(address.bytes)).toEqual(address)
        expect(ipFromInteger(address.family, ipToInteger(address))).toEqual(address)
      }),
    )
  })

  it('are read from any text without a throw, and then are canonical', () => {
    const nearly = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:/-%'.split(/(?:)/)) }),
      ...[anyIp, anyPrefix].map((each) => withDefects(each.map(({ text }) => text))),
      withDefects(anyMac.map((mac) => mac.replaceAll(':', '-').toUpperCase())),
      withDefects(anyMac),
    )
    const read = { addresses: 0, networks: 0, macs: 0 }
    const runs = 3_000
    fc.assert(
      fc.property(nearly, (text) => {
        const address = parseIp(text)
        if (address !== undefined) expect(parseIp(address.text)).toEqual(address)
        if (address !== undefined) read.addresses++
        if (address?.family === 4) expect(address.text).toBe(text)
        const network = parsePrefix(text)
        if (network !== undefined) expect(parsePrefix(network.text)).toEqual(network)
        if (network !== undefined) read.networks++
        const mac = parseMac(text)
        if (mac !== undefined) expect(parseMac(mac)).toBe(mac)
        if (mac !== undefined) read.macs++
      }),
      { numRuns: runs },
    )
    for (const count of Object.values(read)) {
      expect(count).toBeGreaterThan(runs / 15)
      expect(count).toBeLessThan(runs / 2)
    }
  })
})

describe('Ethernet addresses', () => {
  it('survive octets', () => {
    fc.assert(
      fc.property(anyMac, (mac) => {
        expect(macFromBytes(macToBytes(mac))).toBe(mac)
      }),
    )
  })
})

describe('networks', () => {
  it('survive text, and contain their base and whatever they were made of', () => {
    fc.assert(
      fc.property(anyPrefix, (network) => {
        expect(parsePrefix(network.text)).toEqual(network)
        expect(prefixContains(network, network.base)).toBe(true)
        expect(prefixOf(network.base, network.length)).toEqual(network)
      }),
    )
  })

  it('contain exactly the addresses that share their bits', () => {
    // they share the first bits, and perhaps some more
    const network = family.chain((of) => {
      const bits = fc.integer({ min: 0, max: of === 4 ? 32 : 128 })
      return fc.record({ one: ipOf(of), random: ipOf(of), shared: bits, length: bits })
    })
    let contained = 0
    const runs = 1_000
    fc.assert(
      fc.property(network, ({ one, random, shared, length }) => {
        const rest = ipToInteger(random) - ipToInteger(prefixOf(random, shared).base)
        const other = ipFromInteger(one.family, ipToInteger(prefixOf(one, shared).base) + rest)
        const isContained = prefixContains(prefixOf(one, length), other)
        expect(isContained).toBe(prefixOf(one, length).text === prefixOf(other, length).text)
        if (length <= shared) expect(isContained).toBe(true)
        if (isContained) contained++
      }),
      { numRuns: runs },
    )
    expect(contained).toBeGreaterThan(runs / 4)
    expect(contained).toBeLessThan((runs * 3) / 4)
  })

  it('overlap when one covers the other, and only then', () => {
    // a network, and another within it, around it, equal to it or anywhere
    const pair = anyPrefix.chain((network) => {
      const near = fc
        .integer({ min: 0, max: network.family === 4 ? 32 : 128 })
        .map((length) => prefixOf(network.base, length))
      return fc.tuple(fc.constant(network), fc.oneof(near, fc.constant(network), anyPrefix))
    })
    const seen = { within: 0, around: 0, equal: 0, apart: 0 }
    const runs = 1_000
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const apart = a.family !== b.family || !(prefixContains(a, b.base) || prefixContains(b, a.base))
        expect(prefixesOverlap(a, b)).toBe(!apart)
        expect(prefixesOverlap(b, a)).toBe(!apart)
        const [covers, isCovered] = [prefixCovers(a, b), prefixCovers(b, a)]
        if (covers && isCovered) expect(a).toEqual(b)
        expect(covers || isCovered).toBe(!apart)
        seen[apart ? 'apart' : covers && isCovered ? 'equal' : covers ? 'within' : 'around']++
      }),
      { numRuns: runs },
    )
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(runs / 20)
  })

  it('number their subnets one after the other', () => {
    const subnets = fc
      .tuple(anyPrefix, fc.nat(24), fc.nat())
      .filter(([network, more]) => network.length + more <= (network.family === 4 ? 32 : 128))
      .map(([network, more, number]) => ({ network, length: network.length + more, index: BigInt(number % 2 ** more) }))
    fc.assert(
      fc.property(subnets, ({ network, length, index }) => {
        const subnet = subnetAt(network, length, index)
        expect(subnetIndex(network, subnet)).toBe(index)
        expect(prefixCovers(network, subnet)).toBe(true)
        expect(subnet.length).toBe(length)
      }),
    )
  })
})
