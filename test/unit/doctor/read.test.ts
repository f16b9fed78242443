import { describe, expect, it } from 'vitest'
import { arpRequest, holderIn } from '../../../src/doctor/read/arp.ts'
import { overlayOfHost } from '../../../src/doctor/read/overlay-here.ts'
import { askAll, peersOfTables } from '../../../src/doctor/read/peers-of-kernel.ts'
import type { Probes } from '../../../src/doctor/view.ts'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { DEVICE, HERE, link, vxlanLink } from './samples.ts'

describe('the question who has an address', () => {
  const address = ip('192.168.205.11')
  const frame = arpRequest(mac('02:00:00:00:00:10'), address)

  it('is to all, from a machine without an address', () => {
    expect(Buffer.from(frame).toString('hex')).toBe(
      'ffffffffffff020000000010' + '0806' + '0001080006040001' + '02000000001000000000' + '000000000000c0a8cd0b',
    )
  })

  it('is answered by a reply about that address alone', () => {
    const reply = Uint8Array.from(frame)
    reply[21] = 2
    reply.set([2, 0, 0, 0, 0, 0x21, ...address.bytes], 22)
    expect(holderIn(reply, address)).toBe('02:00:00:00:00:21')
    expect(holderIn(reply, ip('192.168.205.12'))).toBeUndefined()
    expect(holderIn(frame, address)).toBeUndefined()
    expect(holderIn(reply.subarray(0, 41), address)).toBeUndefined()
  })
})

describe('the overlay without an agent', () => {
  const left = {
    links: [link(), vxlanLink({ alias: 'flannel-agent' }), vxlanLink({ index: 12, name: 'flannel.7' }, 7)],
    addresses: [
      { linkIndex: 2, ip: ip('192.168.205.10'), prefixLength: 24, scope: 'global', flags: [] } as const,
      { linkIndex: 9, ip: ip('10.15.64.0'), prefixLength: 32, scope: 'global', flags: [] } as const,
    ],
    routes: [],
    networks: [prefix('10.15.0.0/16')],
    subnets: [prefix('10.15.64.0/24')],
  }

  it('is that of the device with our alias', () => {
    expect(overlayOfHost(left)).toEqual([HERE])
  })

  it('is none where nothing was left', () => {
    expect(overlayOfHost({ ...left, links: [link()], subnets: [] })).toEqual([])
  })
})

describe('peers without an agent', () => {
  const peerMac = mac('02:00:00:00:01:11')
  const tables = {
    neighbours: [{ ip: ip('10.15.65.0'), mac: peerMac, permanent: true }],
    fdb: [{ mac: peerMac, remote: ip('192.168.205.11'), permanent: true }],
    routes: [
      {
        ...({ destination: prefix('10.15.65.0/24'), gateway: ip('10.15.65.0'), metric: 0, protocol: '70' } as const),
        ...({ scope: 'global', onlink: true, type: 'unicast', table: 'main', linkIndex: DEVICE.index } as const),
      },
    ],
  }
  const peers = peersOfTables(HERE, tables)
  /** A way that carries packets of at most so many octets. */
  const carrying = (most: number): Probes => ({
    echo: (_, { octets = 40 }) => Promise.resolve(octets <= most ? { is: 'answered', rttMs: 1 } : { is: 'silence' }),
    knock: () => Promise.resolve({ is: 'silence' }),
    watch: () => Promise.resolve(undefined),
    holders: () => Promise.resolve(undefined),
  })

  it('are those that the tables of the device have whole', () => {
    expect(peers).toMatchObject([{ subnet: '10.15.65.0/24', publicIp: '192.168.205.11', address: '10.15.65.0' }])
    expect(peersOfTables(HERE, { ...tables, fdb: [] })).toEqual([])
  })

  it.each([
    [1450, { reach: 'reachable' }],
    [1350, { reach: 'mtu', passesOctets: 1350 }],
    [10, { reach: 'unreachable' }],
  ])('are asked, over a way that carries %i octets', async (most, expected) => {
    expect(await askAll(peers, HERE, carrying(most))).toMatchObject([expected])
  })
})
