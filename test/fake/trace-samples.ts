import type { KernelTables, LinkState, RouteState } from '../../src/kernel/kernel.ts'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { prefix } from '../../src/net/prefix.ts'
import type { KernelFacts, TracedPeer, TraceFacts } from '../../src/trace/facts.ts'

export const TRACED: TracedPeer = {
  family: 4,
  name: 'host-1',
  key: '10.15.16.0-20',
  subnet: prefix('10.15.16.0/20'),
  publicIp: ip('192.168.0.1'),
  backendType: 'vxlan',
  mac: mac('0e:00:00:00:00:01'),
  vni: 1,
  source: 'etcd',
}

const link = (index: number, name: string, changed: Partial<LinkState> = {}): LinkState => ({
  ...{ index, name, mac: mac('0e:00:00:00:00:99'), mtu: 1500, up: true, carrier: true, loopback: false },
  ...{ kind: undefined, alias: undefined, vxlan: undefined, master: undefined },
  ...changed,
})

export const UNDERLAY = link(2, 'eth0')
export const DEVICE = link(7, 'flannel.1', {
  mtu: 1450,
  kind: 'vxlan',
  vxlan: {
    ...{ vni: 1, local: ip('192.168.9.9'), underlayIndex: 2, port: 8472, learning: false, gbp: false, ttl: 0 },
    ...{ udpChecksum: false, external: false },
  },
})

export const TABLES: KernelTables = {
  neighbours: [{ ip: ip('10.15.16.0'), mac: mac('0e:00:00:00:00:01'), permanent: true }],
  fdb: [{ mac: mac('0e:00:00:00:00:01'), remote: ip('192.168.0.1'), permanent: true }],
  routes: [],
}

export const route = (changed: Partial<RouteState> = {}): RouteState => ({
  destination: prefix('10.15.16.0/20'),
  gateway: ip('10.15.16.0'),
  metric: 1000,
  protocol: '70',
  scope: 'global',
  onlink: true,
  type: 'unicast',
  table: 'main',
  linkIndex: 7,
  ...changed,
})

/** All that the way to a peer takes, as it should be. */
export function traceFacts(kernel: Partial<KernelFacts> = {}, changed: Partial<TraceFacts> = {}): TraceFacts {
  const underlay = route({
    destination: prefix('192.168.0.0/16'),
    gateway: undefined,
    metric: 0,
    protocol: 'kernel',
    scope: 'link',
    onlink: false,
    linkIndex: 2,
  })
  return {
    peer: TRACED,
    rejected: undefined,
    firewall: {
      own: { ...{ isWanted: true, kind: 'nftables', holds: true }, repairs: 0, lastLookAt: null, peerFilter: null },
      ofOthers: { drops: [], masquerades: [] },
    },
    agent: 'here',
    asked: { reach: 'reachable', rttMs: 0.3124, loss: 0, passesOctets: null, underlay: null, publicIp: '192.168.0.1' },
    kernel: {
      deviceName: 'flannel.1',
      device: DEVICE,
      tables: TABLES,
      toContainer: { is: 'route', route: route() },
      toPublicIp: { is: 'route', route: underlay },
      rules: [],
      links: new Map([UNDERLAY, DEVICE].map((one) => [one.index, one])),
      ...kernel,
    },
    ...changed,
  }
}
