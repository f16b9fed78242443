import { describe, expect, it } from 'vitest'
import { peerObjection, type PeerLimits } from '../../../../src/lease/peers/peer-rules.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { OVERLAY } from '../../../fake/samples.ts'

const AROUND: PeerLimits = {
  overlays: [OVERLAY],
  own: [prefix('10.20.0.0/20')],
  interfaceOf: () => undefined,
  ownPublicIps: [ip('192.168.205.10')],
  protectedPrefixes: [prefix('10.64.0.10/32'), prefix('192.168.33.10/32'), prefix('10.70.3.0/24')],
}

function objection(subnet: string, publicIp = '192.168.205.11', around = AROUND): string | undefined {
  const network = prefix(subnet)
  return peerObjection(
    { family: network.family, subnet: network, publicIp: ip(publicIp), backendData: {} },
    around,
    'host2',
  )?.rejected
}

describe('peerObjection', () => {
  it('has none to an ordinary peer', () => {
    expect(objection('10.15.64.0/20')).toBeUndefined()
  })

  it('has none to a subnet of another size, or outside SubnetMin and SubnetMax: the peer may be of another configuration', () => {
    expect(objection('10.15.64.0/24')).toBeUndefined()
    expect(objection('10.1.0.0/20')).toBeUndefined()
    expect(objection('10.21.0.0/16')).toBeUndefined()
  })

  it.each([
    ['11.15.64.0/20', 'outside Network 10.0.0.0/8'],
    ['0.0.0.0/0', 'outside Network 10.0.0.0/8'],
    ['10.0.0.0/7', 'outside Network 10.0.0.0/8'],
    ['10.20.0.0/20', 'overlaps our own 10.20.0.0/20'],
    ['10.20.4.0/24', 'overlaps our own 10.20.0.0/20'],
    ['10.20.0.0/16', 'overlaps our own 10.20.0.0/20'],
    ['10.64.0.0/20', 'covers 10.64.0.10'],
    ['10.70.0.0/20', 'covers 10.70.3.0/24'],
    ['10.70.3.0/24', 'covers 10.70.3.0/24'],
    ['fd00::/64', 'the network has no IPv6'],
  ])('objects to the subnet %s', (subnet, reason) => {
    expect(objection(subnet)).toContain(reason)
  })

  it.each(['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255'])('objects to the PublicIP %s', (publicIp) => {
    expect(objection('10.15.64.0/20', publicIp)).toContain(`PublicIP ${publicIp} is not an address`)
  })

  it.each(['10.70.3.0', '10.70.3.255'])('objects to the PublicIP %s, which no host of the underlay has', (publicIp) => {
    expect(objection('10.15.64.0/20', publicIp)).toContain('network or broadcast address of the underlay')
  })

  it.each(['192.168.1.12', '192.168.1.15'])(
    'objects to the PublicIP %s, also where the underlay has two hosts',
    (publicIp) => {
      const around = { ...AROUND, protectedPrefixes: [prefix('192.168.1.12/30')] }
      expect(objection('10.15.64.0/20', publicIp, around)).toContain('network or broadcast address of the underlay')
      expect(objection('10.15.64.0/20', '192.168.1.13', around)).toBeUndefined()
    },
  )

  it('has none to the first and last addresses of a point-to-point underlay, nor to those of a host in it', () => {
    const around = { ...AROUND, protectedPrefixes: [prefix('192.168.1.8/31'), prefix('192.168.1.20/32')] }
    for (const publicIp of ['192.168.1.8', '192.168.1.9', '192.168.1.20', '192.168.1.1', '192.168.1.254'])
      expect(objection('10.15.64.0/20', publicIp, around)).toBeUndefined()
    expect(objection('10.15.64.0/20', '10.70.3.254')).toBeUndefined()
  })

  it('has none to a subnet within a wide underlay', () => {
    expect(objection('10.70.3.64/26')).toBeUndefined()
    const wide = { ...AROUND, protectedPrefixes: [prefix('10.0.0.0/8'), prefix('0.0.0.0/0')] }
    expect(objection('10.15.64.0/20', '10.99.99.1', wide)).toBeUndefined()
  })

  it('objects to a PublicIP within our own subnet: our container bridge would answer for it', () => {
    expect(objection('10.15.64.0/20', '10.20.0.7')).toContain('within our own subnet')
  })

  it('objects to our own PublicIP', () => {
    const reason = 'PublicIP 192.168.205.10 is our own: host2 needs another, by --iface there'
    expect(objection('10.15.64.0/20', '192.168.205.10')).toBe(reason)
  })

  it('objects to the PublicIP of any interface of ours, which every such machine has, and names both', () => {
    const around = { ...AROUND, interfaceOf: (text: string) => (text === '10.0.2.15' ? 'eth0' : undefined) }
    const reason = 'PublicIP 10.0.2.15 is our own, on eth0: host2 needs another, by --iface there'
    expect(objection('10.15.64.0/20', '10.0.2.15', around)).toBe(reason)
    expect(objection('10.15.64.0/20', '10.0.2.16', around)).toBeUndefined()
  })

  it('objects to a PublicIP that is for containers, unless hosts have their addresses there', () => {
    const around = { ...AROUND, protectedPrefixes: [prefix('192.168.205.0/24'), prefix('192.168.205.1/32')] }
    const reason = 'PublicIP 10.30.0.1 lies inside Network 10.0.0.0/8, whose addresses are for containers'
    expect(objection('10.15.64.0/20', '10.30.0.1', around)).toBe(reason)
    expect(objection('10.15.64.0/20', '10.200.0.1', around), 'above SubnetMax').toBeUndefined()
    for (const ours of ['10.30.0.0/16', '10.40.0.7/32'])
      expect(objection('10.15.64.0/20', '10.30.0.1', { ...AROUND, protectedPrefixes: [prefix(ours)] })).toBeUndefined()
  })

  it('objects to a peer that would be reached through itself', () => {
    expect(objection('10.15.64.0/20', '10.15.64.5')).toContain('covers its own PublicIP 10.15.64.5')
    expect(objection('10.15.64.0/20', '10.15.80.5')).toBeUndefined()
  })
})
