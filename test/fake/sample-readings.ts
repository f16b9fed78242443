import { AgentCounts } from '../../src/counts/agent-counts.ts'
import { Histogram } from '../../src/counts/histogram.ts'
import type { Readings } from '../../src/metrics/readings.ts'
import { STATUS_VERSION, type FamilyStatus, type PeerStatus, type StatusDocument } from '../../src/status/document.ts'

const family = (of: 4 | 6): FamilyStatus => ({
  family: of,
  subnet: of === 4 ? '10.15.64.0/20' : 'fd15:64::/64',
  underlay: {
    ...{ interface: 'eth1', index: 3, mtu: 1500, hasCarrier: true },
    ...{ address: '192.168.205.10', publicIp: '192.168.205.10' },
  },
  device: {
    ...{ name: of === 4 ? 'flannel.100' : 'flannel-v6.100', index: 7, mac: '02:11:22:33:44:55', mtu: 1450 },
    ...{ address: '10.15.64.0', vni: 100, port: 8472 },
    forwarder: {
      ...{ sentPackets: 10, sentOctets: 840, receivedPackets: 9, receivedOctets: 756 },
      drops: { inStranger: 1 },
    },
  },
  tables: {
    ...{ peers: 3, pending: 0, synced: true, passes: 2, lastPassMs: 1.5 },
    restored: { neighbour: 0, fdb: 0, route: 0 },
  },
})

/** A node of both families that fares well, met over TLS; with whatever is to be otherwise. */
export const sampleStatus = (other: Partial<StatusDocument> = {}): StatusDocument => ({
  version: STATUS_VERSION,
  at: '2026-11-30T00:00:00.000Z',
  state: 'ready',
  node: { id: 'a1b2', hostname: 'alpha', instance: 'one' },
  agent: { version: '0.1.0', commit: 'abc1234', pid: 42, startedAt: '2026-11-29T00:00:00.000Z', uptimeSeconds: 86_400 },
  conditions: [],
  configuration: null,
  lease: {
    ...{ key: '10.15.64.0-20', subnets: ['10.15.64.0/20'], how: 'kept' },
    ...{ expiresAt: '2026-11-30T23:00:00.000Z', secondsLeft: 82_800 },
  },
  families: [family(4), family(6)],
  peers: {
    total: 3,
    kept: 0,
    byReach: { reachable: 6, lossy: 0, mtu: 0, unreachable: 0, unknown: 0 },
    families: ([4, 6] as const).map((of) => ({
      ...{ family: of, byReach: { reachable: 3, lossy: 0, mtu: 0, unreachable: 0, unknown: 0 } },
    })),
    probes: { isOn: true, why: null },
    notReachable: [],
  },
  pending: { total: 0, rows: [] },
  rejected: { total: 0, rows: [] },
  store: {
    ...{
      kind: 'etcd',
      isUp: true,
      since: '2026-11-29T00:00:00.000Z',
      reconnects: 0,
      renewedAt: '2026-11-29T23:00:00.000Z',
    },
    endpoints: [
      { url: 'https://10.0.0.1:2379', isUp: true, latencyMs: 4, lastError: null, lastErrorAt: null },
      { url: 'https://10.0.0.2:2379', isUp: null, latencyMs: null, lastError: null, lastErrorAt: null },
    ],
    certificates: [{ file: '/etc/flannel/client.pem', expiresAt: '2027-01-01T00:00:00.000Z', problem: null }],
  },
  firewall: {
    ...{ isWanted: true, kind: 'nftables', holds: true, repairs: 0, lastLookAt: '2026-11-30T00:00:00.000Z' },
    peerFilter: { holds: true, drops: 0 },
  },
  kernel: { requests: 40, errors: 1, overruns: 0, writes: 9 },
  events: [],
  ...other,
})

/** Counts of an agent in which everything has happened once at least. */
export function sampleCounts(): AgentCounts {
  const counts = new AgentCounts()
  for (const one of [4, 6] as const) {
    counts.of(one).passed(1.5)
    counts.of(one).restored.route += 2
  }
  counts.store.answered(4)
  counts.store.failed('UNAVAILABLE')
  counts.late(0.002)
  counts.neighbourOverflows.set(4, 3)
  return counts
}

export function sampleReadings(other: Partial<Readings> = {}): Readings {
  const roundTrips = new Histogram([0.001, 0.01])
  roundTrips.observe(0.0005)
  return {
    status: sampleStatus(),
    counts: sampleCounts(),
    probes: { questions: 12, answers: 11, lost: 1, roundTrips: roundTrips.read() },
    pending: [],
    rejections: [],
    subnets: [{ family: 4, all: 4_095, leased: 4 }],
    process: {
      ...{ cpuSeconds: 1.25, residentBytes: 60_000_000, virtualBytes: 1_000_000_000 },
      ...{ openFds: 25, maxFds: 1_024, startSeconds: 1_795_910_400, nodejs: '24.11.1' },
    },
    ...other,
  }
}

export const samplePeer = (at: number, other: Partial<PeerStatus> = {}): PeerStatus => ({
  ...{ family: 4, name: `host-${at}`, nodeId: null, key: `10.${at}.0.0-20`, subnet: `10.${at}.0.0/20` },
  ...{ publicIp: `192.168.205.${at}`, backendType: 'vxlan', mac: null, address: `10.${at}.0.0`, isDirect: false },
  ...{ isReserved: false, keptUntil: null, entries: [], reach: 'reachable', reachSince: '2026-11-30T00:00:00.000Z' },
  ...{ rttMs: 0.4, loss: 0, passesOctets: null, underlay: null },
  ...other,
})
