import { describe, expect, it } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import {
  addressAt,
  hostPrefix,
  isReachableUnicast,
  parsePrefix,
  prefix,
  prefixContains,
  prefixCovers,
  prefixOf,
  prefixesOverlap,
  subnetAt,
  subnetCount,
  subnetIndex,
} from '../../../src/net/prefix.ts'

describe('parsePrefix', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.15.70.9/20', '10.15.64.0/20'],
    ['10.1.2.3/0', '0.0.0.0/0'],
    ['0.0.0.5/24', '0.0.0.0/24'],
    ['255.255.0.9/16', '255.255.0.0/16'],
    ['10.1.2.3/32', '10.1.2.3/32'],
    ['FD00:10::5/64', 'fd00:10::/64'],
    ['fd00::1/128', 'fd00::1/128'],
  ])('reads %s as %s', (text, canonical) => {
    expect(parsePrefix(text)?.text).toBe(canonical)
  })

  it.each([
    '',
    '10.0.0.0',
    '10.0.0.0/',
    '/8',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/8.0',
    'fd00::/129',
    'x/8',
  ])('takes %j for no network', (text) => {
    expect(parsePrefix(text)).toBeUndefined()
  })

  it('names the text that is no network', () => {
    expect(() => prefix('10.0.0.0')).toThrow('"10.0.0.0"')
  })
})

describe('prefixOf', () => {
  it.each([-1, 33, 1.5, Number.NaN])('refuses a length of %s', (length) => {
    expect(() => prefixOf(ip('10.0.0.0'), length)).toThrow(RangeError)
  })

  it('makes a host of either family', () => {
    expect(hostPrefix(ip('10.0.0.1')).text).toBe('10.0.0.1/32')
    expect(hostPrefix(ip('fd00::1')).text).toBe('fd00::1/128')
  })
})

describe('what lies in what', () => {
  const network = prefix('10.15.64.0/20')

  it('contains its first and last address and neither neighbour', () => {
    expect(prefixContains(network, ip('10.15.64.0'))).toBe(true)
    expect(prefixContains(network, ip('10.15.79.255'))).toBe(true)
    expect(prefixContains(network, ip('10.15.63.255'))).toBe(false)
    expect(prefixContains(network, ip('10.15.80.0'))).toBe(false)
  })

  it('contains nothing of the other family', () => {
    expect(prefixContains(prefix('0.0.0.0/0'), ip('::'))).toBe(false)
    expect(prefixContains(prefix('::/0'), ip('10.0.0.1'))).toBe(false)
  })

  it('covers itself and what is smaller, not what is larger', () => {
    expect(prefixCovers(network, network)).toBe(true)
    expect(prefixCovers(network, prefix('10.15.72.0/24'))).toBe(true)
    expect(prefixCovers(network, prefix('10.15.0.0/16'))).toBe(false)
  })

  it('overlaps in either order, and not with the next one', () => {
    const inner = prefix('10.15.72.0/24')
    expect(prefixesOverlap(network, inner)).toBe(true)
    expect(prefixesOverlap(inner, network)).toBe(true)
    expect(prefixesOverlap(network, prefix('10.15.80.0/20'))).toBe(false)
  })
})

describe('subnets by number', () => {
  const network = prefix('10.0.0.0/8')

  it('counts from the base of the network', () => {
    expect(subnetIndex(network, prefix('10.0.0.0/20'))).toBe(0n)
    expect(subnetIndex(network, prefix('10.15.64.0/20'))).toBe(244n)
    expect(subnetAt(network, 20, 244n).text).toBe('10.15.64.0/20')
  })

  it('says how many there are', () => {
    expect(subnetCount(network, 20)).toBe(4096n)
    expect(subnetCount(prefix('fd00::/16'), 126)).toBe(1n << 110n)
    expect(subnetAt(network, 20, subnetCount(network, 20) - 1n).text).toBe('10.255.240.0/20')
  })

  it('counts addresses within a network', () => {
    expect(addressAt(prefix('10.15.64.0/20'), 1n).text).toBe('10.15.64.1')
    expect(addressAt(prefix('fd00:10::/64'), 1n).text).toBe('fd00:10::1')
  })
})

describe('isReachableUnicast', () => {
  it.each([
    '0.0.0.0',
    '127.0.0.1',
    '127.255.255.254',
    '224.0.0.1',
    '239.1.2.3',
    '255.255.255.255',
    '::',
    '::1',
    'ff02::1',
  ])('refuses %s', (text) => {
    expect(isReachableUnicast(ip(text))).toBe(false)
  })

  it.each([
    '10.0.0.1',
    '192.168.205.10',
    '100.64.0.1',
    '169.254.1.1',
    '8.8.8.8',
    '192.0.2.1',
    '198.18.0.1',
    '203.0.113.7',
    '240.0.0.1',
    'fd00::1',
    'fe80::1',
    '2001:db8::1',
  ])('takes %s: laboratories and clouds do use such addresses, and the kernel routes them', (text) => {
    expect(isReachableUnicast(ip(text))).toBe(true)
  })
})
