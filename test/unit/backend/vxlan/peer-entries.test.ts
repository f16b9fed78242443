import { describe, expect, it } from 'vitest'
import { routeMetric } from '../../../../src/backend/route-metric.ts'
import { decodeLease } from '../../../../src/lease/codec.ts'
import type { Lease } from '../../../../src/lease/lease.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix, subnetAt } from '../../../../src/net/prefix.ts'
import { peerEntries } from '../../../../src/backend/vxlan/peer-entries.ts'
import { leaseRecord, leaseValue, VTEP } from '../../../fake/samples.ts'

const PEER_MAC = '82:53:2e:6a:a9:43'

function leaseOf(fields: Partial<Parameters<typeof leaseValue>[0]> = {}, change: Partial<Lease> = {}): Lease {
  const value = leaseValue({ publicIp: '192.168.205.11', mac: PEER_MAC, ...fields })
  const lease = decodeLease(leaseRecord('10.15.64.0-20', value))
  if ('rejected' in lease) throw new Error(lease.rejected)
  return { ...lease, ...change }
}

describe('peerEntries', () => {
  it('makes one neighbour, one fdb entry and one route, all by way of the base of the subnet', () => {
    expect(peerEntries(leaseOf(), VTEP)).toEqual({
      onUnderlay: [],
      onDevice: {
        neighbours: [{ ip: ip('10.15.64.0'), mac: PEER_MAC }],
        fdb: [{ mac: PEER_MAC, remote: ip('192.168.205.11') }],
        routes: [
          {
            destination: prefix('10.15.64.0/20'),
            gateway: ip('10.15.64.0'),
            metric: 245,
            protocol: '70',
            onlink: true,
          },
        ],
      },
    })
  })

  it('takes the word of v0.6, which names no VNI', () => {
    const lease = leaseOf()
    const families = lease.families.map((part) => ({ ...part, backendData: { VtepMAC: PEER_MAC } }))
    expect(peerEntries({ ...lease, families }, VTEP)).toHaveProperty('onDevice.neighbours')
  })

  it.each([
    ['another VNI', leaseOf({ vni: 101 }), 'VNI is 101, ours 100'],
    ['our own VtepMAC', leaseOf({ mac: VTEP.mac }), 'is our own'],
    ['a multicast VtepMAC', leaseOf({ mac: '01:00:00:00:00:01' }), 'BackendData.VtepMAC'],
    ['no subnet of this family', leaseOf({}, { families: [] }), 'no IPv4 subnet'],
  ])('rejects %s', (_, lease, reason) => {
    expect(peerEntries(lease, VTEP)).toHaveProperty('rejected', expect.stringContaining(reason))
  })
})

describe('routeMetric', () => {
  it('counts the subnets of the network from 1', () => {
    const network = prefix('10.0.0.0/8')
    expect(routeMetric(network, prefix('10.0.0.0/20'))).toBe(1)
    expect(routeMetric(network, prefix('10.255.240.0/20'))).toBe(4096)
  })

  it('is unique over all subnets of an IPv4 network, and never 0', () => {
    const network = prefix('10.0.0.0/8')
    const metrics = Array.from({ length: 65_536 }, (_, index) =>
      routeMetric(network, subnetAt(network, 24, BigInt(index))),
    )
    expect(new Set(metrics).size).toBe(65_536)
    expect(Math.min(...metrics.slice(0, 10))).toBe(1)
  })

  it('stays within 32 bits where a network holds more subnets than that', () => {
    const network = prefix('fd00::/16')
    const last = subnetAt(network, 64, (1n << 48n) - 1n)
    expect(routeMetric(network, last)).toBeLessThanOrEqual(0x8000_0000)
    expect(routeMetric(prefix('0.0.0.0/0'), prefix('255.255.255.252/30'))).toBe(2 ** 30)
  })
})
