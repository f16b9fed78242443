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
import { anyIp, anyMac, anyPrefix, family, ipOf } from './arbitraries.ts'

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
    const nearly = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:/-%'.split(/(?:)/)) }))
    fc.assert(
      fc.property(nearly, (text) => {
        const address = parseIp(text)
        if (address !== undefined) expect(parseIp(address.text)).toEqual(address)
        if (address?.family === 4) expect(address.text).toBe(text)
        const network = parsePrefix(text)
        if (network !== undefined) expect(parsePrefix(network.text)).toEqual(network)
        const mac = parseMac(text)
        if (mac !== undefined) expect(parseMac(mac)).toBe(mac)
      }),
      { numRuns: 2_000 },
    )
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
    const network = family.chain((of) => fc.tuple(ipOf(of), ipOf(of), fc.integer({ min: 0, max: of === 4 ? 32 : 128 })))
    fc.assert(
      fc.property(network, ([one, other, length]) => {
        expect(prefixContains(prefixOf(one, length), other)).toBe(
          prefixOf(one, length).text === prefixOf(other, length).text,
        )
      }),
    )
  })

  it('overlap when one covers the other, and only then', () => {
    fc.assert(
      fc.property(anyPrefix, anyPrefix, (a, b) => {
        const apart = a.family !== b.family || !(prefixContains(a, b.base) || prefixContains(b, a.base))
        expect(prefixesOverlap(a, b)).toBe(!apart)
        expect(prefixesOverlap(b, a)).toBe(!apart)
        if (prefixCovers(a, b) && prefixCovers(b, a)) expect(a).toEqual(b)
      }),
    )
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
