import { describe, expect, it } from 'vitest'
import { decodeLease } from '../../../src/lease/codec.ts'
import type { Lease, NodeIdentity } from '../../../src/lease/lease.ts'
import { claimFor, leaseFits, ownershipOf } from '../../../src/lease/terms.ts'
import { ip, type Family, type Ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { leaseRecord, leaseValue, NODE, OVERLAY, overlayOf } from '../../fake/samples.ts'

function leaseAt(publicIp: string, node?: NodeIdentity, key = '10.15.64.0-20'): Lease {
  const value = leaseValue({ publicIp, mac: '02:00:00:00:00:01', ...(node === undefined ? {} : { node }) })
  const lease = decodeLease(leaseRecord(key, value))
  if ('rejected' in lease) throw new Error(lease.rejected)
  return lease
}

describe('ownershipOf', () => {
  const us = { node: NODE, publicIps: new Map<Family, Ip>([[4, ip('192.168.205.10')]]) }
  const stranger = { id: 'x', hostname: 'h' }

  it.each([
    ['our id and our address', leaseAt('192.168.205.10', NODE), 'ours'],
    ['our id and another address', leaseAt('192.168.205.11', NODE), 'ours'],
    ['no id and our address: upstream wrote it', leaseAt('192.168.205.10'), 'ours'],
    ['no id and another address', leaseAt('192.168.205.11'), 'other'],
    ['another id and our address', leaseAt('192.168.205.10', stranger), 'rival'],
    ['another id and another address', leaseAt('192.168.205.11', stranger), 'other'],
  ])('with %s', (_, lease, ownership) => {
    expect(ownershipOf(lease, us)).toBe(ownership)
  })
})

const PART6 = {
  family: 6,
  subnet: prefix('fd00:10:0:5::/64'),
  publicIp: ip('fd00:205::10'),
  backendData: { VNI: 100, VtepMAC: '02:00:00:00:06:0a' },
} as const

describe('leaseFits', () => {
  it.each([
    ['SubnetMin', '10.10.0.0-20', true],
    ['SubnetMax', '10.99.0.0-20', true],
    ['just below SubnetMin', '10.9.240.0-20', false],
    ['just above SubnetMax', '10.99.16.0-20', false],
    ['another length', '10.15.64.0-21', false],
  ])('at %s', (_, key, fits) => {
    expect(leaseFits(leaseAt('192.168.205.10', NODE, key), { overlays: [OVERLAY] })).toBe(fits)
  })

  it('wants exactly the families of the configuration', () => {
    const second = overlayOf('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:10::/48"}')
    expect(leaseFits(leaseAt('192.168.205.10'), { overlays: [OVERLAY, second] })).toBe(false)
    expect(leaseFits(leaseAt('192.168.205.10'), { overlays: [second] })).toBe(false)
  })

  it('takes one with or without a family in which we have no address at the moment', () => {
    const second = overlayOf('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:10::/48"}')
    const terms = { overlays: [OVERLAY], absentOverlays: [second] }
    const both = { ...leaseAt('192.168.205.10'), families: [...leaseAt('192.168.205.10').families, PART6] }
    expect([leaseFits(leaseAt('192.168.205.10'), terms), leaseFits(both, terms)]).toEqual([true, true])
    expect(leaseFits(both, { overlays: [OVERLAY] })).toBe(false)
    const elsewhere = {
      ...both,
      families: [...both.families.slice(0, 1), { ...PART6, subnet: prefix('fd00:11:0:5::/64') }],
    }
    expect(leaseFits(elsewhere, terms)).toBe(false)
  })
})

describe('claimFor', () => {
  it('refuses to claim a family for which we have no address', () => {
    const terms = {
      node: NODE,
      instance: 'this',
      traceOf: () => undefined,
      avoid: [],
      overlays: [OVERLAY],
      publicIps: new Map(),
      backendType: 'vxlan',
      backendData: () => ({}),
      previousSubnets: [],
      hintedSubnets: [],
      ttlSeconds: 1,
    }
    expect(() => claimFor(terms, [prefix('10.15.64.0/20')], undefined)).toThrow(RangeError)
  })
})
