import type { Finding } from '../../../src/doctor/finding.ts'
import type { OverlayHere, Suspect } from '../../../src/doctor/view.ts'
import type { LinkState } from '../../../src/kernel/kernel.ts'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'

export const finding = (fields: Partial<Finding> = {}): Finding => ({
  cause: 'udp-port-dropped-here',
  severity: 'broken',
  summary: 'dropped',
  evidence: ['nft list ruleset'],
  cure: ['nft delete table inet filter'],
  ...fields,
})

export const DEVICE = {
  ...{ name: 'flannel.100', index: 9, address: ip('10.15.64.0'), mtu: 1450, vni: 100, port: 8472 },
} as const

/** That of the udp backend. */
export const UDP_DEVICE = {
  ...{ name: 'flannel0', index: 9, address: ip('10.15.64.0'), mtu: 1472, vni: undefined, port: 8285, carrier: 80 },
} as const

/** This host, in IPv4, on VXLAN. */
export const HERE: OverlayHere = {
  ...{ family: 4, network: prefix('10.15.0.0/16'), subnet: prefix('10.15.64.0/24'), device: DEVICE },
  underlay: { interface: 'eth0', index: 2, address: ip('192.168.205.10'), publicIp: ip('192.168.205.10') },
}

/** The same with host-gw. */
export const WITHOUT_DEVICE: OverlayHere = { ...HERE, device: undefined }

export const link = (fields: Partial<LinkState> = {}): LinkState => ({
  ...{ index: 2, name: 'eth0', mac: mac('02:00:00:00:00:10'), mtu: 1500, up: true, carrier: true, loopback: false },
  ...{ kind: undefined, alias: undefined, vxlan: undefined, master: undefined },
  ...fields,
})

export const vxlanLink = (fields: Partial<LinkState> = {}, vni = 100, port = 8472): LinkState =>
  link({
    ...{ index: 9, name: 'flannel.100', mtu: 1450, kind: 'vxlan' },
    vxlan: {
      ...{ vni, port, local: ip('192.168.205.10'), underlayIndex: 2, learning: false, gbp: false, ttl: 0 },
      ...{ udpChecksum: false, external: false },
    },
    ...fields,
  })

/** A peer that does not answer. */
export const silent = (fields: Partial<Suspect> = {}): Suspect => ({
  ...{
    family: 4,
    name: 'two',
    nodeId: null,
    key: '10.15.65.0-24',
    subnet: '10.15.65.0/24',
    isReserved: false,
    keptUntil: null,
  },
  ...{ publicIp: '192.168.205.11', backendType: 'vxlan', mac: '02:00:00:00:01:11', address: '10.15.65.0' },
  ...{ isDirect: false, entries: [], reach: 'unreachable', reachSince: '2026-01-01T00:00:00.000Z', rttMs: null },
  ...{ loss: 1, passesOctets: null, underlay: null },
  ...fields,
})
