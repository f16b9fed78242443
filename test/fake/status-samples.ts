import type { Reach } from '../../src/probe/reach.ts'
import type { PeersDocument, PeerStatus, StatusDocument, StatusEvent } from '../../src/status/document.ts'

/** When the samples are written. */
export const SAMPLE_AT = '2026-11-30T03:00:00.000Z'

/** A time so many seconds before the samples. */
export const secondsBefore = (seconds: number): string =>
  new Date(Date.parse(SAMPLE_AT) - seconds * 1_000).toISOString()

/** Peer number 1 and up: host-1 with 10.15.16.0/20 at 192.168.0.1 … */
export function samplePeer(number: number, changed: Partial<PeerStatus> = {}): PeerStatus {
  const base = (15 << 16) | (number << 12)
  const subnet = `10.${(base >> 16) & 255}.${(base >> 8) & 255}.0`
  const publicIp = `192.168.${number >> 8}.${number & 255}`
  return {
    family: 4,
    name: `host-${number}`,
    nodeId: `node-${number}`,
    key: `${subnet}-20`,
    subnet: `${subnet}/20`,
    publicIp,
    backendType: 'vxlan',
    isReserved: false,
    keptUntil: null,
    mac: '0e:00:00:00:00:01',
    address: subnet,
    isDirect: false,
    entries: (['neighbour', 'fdb', 'route'] as const).map((table) => ({
      table,
      row: `${table} ${ROWS[table](subnet, publicIp)}`,
      isInKernel: true,
    })),
    reach: 'reachable',
    reachSince: secondsBefore(7_500),
    rttMs: 0.312,
    loss: 0,
    passesOctets: null,
    underlay: null,
    ...changed,
  }
}

export const UNREACHABLE: Partial<PeerStatus> = {
  reach: 'unreachable',
  reachSince: secondsBefore(185),
  rttMs: null,
  loss: 1,
  underlay: { answers: true, rttMs: 0.41, says: null },
}

/** As the tables' rules show them. */
const ROWS = {
  neighbour: (subnet: string): string => `${subnet} lladdr 0e:00:00:00:00:01 nud permanent`,
  fdb: (_: string, publicIp: string): string => `0e:00:00:00:00:01 dst ${publicIp} self permanent`,
  route: (subnet: string): string => `${subnet}/20 via ${subnet} proto 70 metric 1000 onlink`,
}

const NO_REACH: Readonly<Record<Reach, number>> = { reachable: 0, lossy: 0, mtu: 0, unreachable: 0, unknown: 0 }

export const sampleEvent = (id: number, changed: Partial<StatusEvent> = {}): StatusEvent => ({
  id,
  at: secondsBefore(1_000 / id),
  level: 'info',
  kind: 'peer-joined',
  text: 'peer joined',
  fields: { node: `host-${id}`, publicIp: `192.168.0.${id}`, subnet: `10.15.${id * 16}.0-20` },
  ...changed,
})

/** What a healthy node with these peers says. */
export function sampleStatus(peers: readonly PeerStatus[], changed: Partial<StatusDocument> = {}): StatusDocument {
  const byReach = { ...NO_REACH }
  for (const { reach } of peers) byReach[reach]++
  return {
    version: 1,
    at: SAMPLE_AT,
    state: 'ready',
    node: { id: '4f1a', hostname: 'host-zero', instance: 'a1b2' },
    agent: {
      version: '0.9.0',
      commit: 'f421ad6f421ad6f4',
      pid: 712,
      startedAt: secondsBefore(97_500),
      uptimeSeconds: 97_500,
    },
    conditions: [],
    configuration: {
      source: '/coreos.com/network/config',
      networks: [
        { family: 4, network: '10.0.0.0/8', subnetLength: 20, firstSubnet: '10.15.0.0', lastSubnet: '10.255.240.0' },
      ],
      backend: { type: 'vxlan', settings: { vni: 1, port: 8472, gbp: false, learning: false, directRouting: false } },
      waitsForRestart: [],
      flags: { iface: 'eth0' },
    },
    lease: {
      key: '10.15.0.0-20',
      subnets: ['10.15.0.0/20'],
      expiresAt: secondsBefore(-83_000),
      secondsLeft: 83_000,
      how: 'kept',
    },
    families: [
      {
        family: 4,
        subnet: '10.15.0.0/20',
        underlay: {
          interface: 'eth0',
          index: 2,
          address: '192.168.9.9',
          publicIp: '192.168.9.9',
          mtu: 1500,
          hasCarrier: true,
        },
        device: {
          name: 'flannel.1',
          index: 7,
          mac: '0e:00:00:00:00:00',
          address: '10.15.0.0',
          mtu: 1450,
          vni: 1,
          port: 8472,
          forwarder: null,
        },
        tables: {
          peers: peers.length,
          pending: 0,
          synced: true,
          restored: { neighbour: 0, fdb: 0, route: 0 },
          passes: 4,
          lastPassMs: 1.5,
        },
      },
    ],
    peers: {
      total: peers.length,
      kept: 0,
      byReach,
      families: [{ family: 4, byReach }],
      probes: { isOn: true, why: null },
      notReachable: peers.filter(({ reach }) => reach !== 'reachable' && reach !== 'unknown').slice(0, 20),
    },
    pending: { total: 0, rows: [] },
    rejected: { total: 0, rows: [] },
    store: {
      kind: 'etcd',
      isUp: true,
      since: secondsBefore(97_400),
      endpoints: [{ url: 'http://192.168.9.1:2379', isUp: true, latencyMs: 1.24, lastError: null, lastErrorAt: null }],
      reconnects: 0,
      renewedAt: secondsBefore(3_400),
      certificates: [],
    },
    firewall: {
      isWanted: true,
      kind: 'nftables',
      holds: true,
      repairs: 0,
      lastLookAt: secondsBefore(3),
      peerFilter: null,
    },
    kernel: { requests: 41, errors: 0, overruns: 0, writes: 12 },
    events: [sampleEvent(1), sampleEvent(2)],
    ...changed,
  }
}

export const samplePeers = (peers: readonly PeerStatus[]): PeersDocument => ({
  ...{ version: 1, at: SAMPLE_AT, hasLease: true, peers },
})

/** So many healthy peers, from number 1. */
export const manyPeers = (count: number): readonly PeerStatus[] =>
  Array.from({ length: count }, (_, index) => samplePeer(index + 1))
