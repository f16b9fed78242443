import { prefix, subnetAt } from '../../../src/net/prefix.ts'
import { REACHES, type Reach } from '../../../src/probe/reach.ts'
import type {
  ConditionStatus,
  PeerStatus,
  PendingStatus,
  RejectedStatus,
  StatusDocument,
  StatusEvent,
} from '../../../src/status/document.ts'

/** Everything that an agent says of itself, as the page asks for it. */
export interface AgentDocuments {
  readonly status: StatusDocument
  readonly peers: readonly PeerStatus[]
  readonly pending: readonly PendingStatus[]
  readonly rejected: readonly RejectedStatus[]
  readonly events: readonly StatusEvent[]
}

export interface Shape {
  readonly peers: number
  /** By number of the peer; others are reachable. */
  readonly reaches?: ReadonlyMap<number, Reach>
  readonly name?: (peer: number) => string
  readonly conditions?: readonly ConditionStatus[]
  readonly rejected?: readonly RejectedStatus[]
  readonly pending?: readonly PendingStatus[]
  readonly events?: readonly StatusEvent[]
  readonly reserved?: readonly number[]
  readonly network?: string
  readonly subnetLength?: number
  /** The clock of the documents, in milliseconds since 1970. */
  readonly nowMs?: number
}

const MOST_ROWS = 20
/** Steps that walk through all subnets of a network in an order that looks like chance, being odd. */
const STRIDE = 2_654_435_761n

const isoBefore = (nowMs: number, seconds: number): string => new Date(nowMs - seconds * 1_000).toISOString()

/** An agent with many peers, whose subnets lie scattered over the network. */
export function documentsOf(shape: Shape): AgentDocuments {
  const { nowMs = Date.now(), events = [], rejected = [], pending = [] } = shape
  const [network, length] = [prefix(shape.network ?? '10.0.0.0/8'), shape.subnetLength ?? 21]
  const all = 1n << BigInt(length - network.length)
  const subnet = (at: number): string => subnetAt(network, length, (BigInt(at + 1) * STRIDE) % all).text
  const peers = Array.from({ length: shape.peers }, (_, at) => peerOf(shape, at, subnet(at), nowMs))
  const own = subnet(shape.peers)
  const byReach = Object.fromEntries(
    REACHES.map((word) => [word, peers.filter(({ reach }) => reach === word).length]),
  ) as Record<Reach, number>
  const bad = peers.filter(({ reach }) => reach !== 'reachable' && reach !== 'unknown')
  const notReachable = bad.sort((a, b) => REACHES.indexOf(a.reach) - REACHES.indexOf(b.reach)).slice(0, MOST_ROWS)
  const conditions = shape.conditions ?? []
  const status: StatusDocument = {
    version: 1,
    at: new Date(nowMs).toISOString(),
    state: stateOf(conditions),
    node: { id: 'd3b07384d113edec49eaa6238ad5ff00', hostname: 'rack3-host17', instance: 'one' },
    agent: {
      ...{ version: '0.1.0', commit: '44826c712fd5', pid: 812 },
      ...{ startedAt: isoBefore(nowMs, 190_000), uptimeSeconds: 190_000 },
    },
    conditions,
    configuration: {
      source: '/coreos.com/network/config',
      networks: [
        {
          ...{ family: network.family, network: network.text, subnetLength: length },
          firstSubnet: subnetAt(network, length, all / 64n).base.text,
          lastSubnet: subnetAt(network, length, all - 1n).base.text,
        },
      ],
      backend: { type: 'vxlan', settings: { vni: 100, port: 8472 } },
      ...{ waitsForRestart: [], flags: { '--iface': 'eth0' } },
    },
    lease: {
      ...{ key: `/coreos.com/network/subnets/${own.replace('/', '-')}`, subnets: [own], how: 'kept' },
      ...{ expiresAt: isoBefore(nowMs, -82_000), secondsLeft: 82_000 },
    },
    families: [
      {
        ...{ family: network.family, subnet: own },
        underlay: {
          ...{
            interface: 'eth0',
            index: 2,
            address: '172.16.3.17',
            publicIp: '172.16.3.17',
            mtu: 1500,
            hasCarrier: true,
          },
        },
        device: {
          ...{ name: 'flannel.100', index: 7, mac: '0a:58:0a:00:00:01', address: own.replace(/\/.*/, ''), mtu: 1450 },
          ...{ vni: 100, port: 8472, forwarder: null },
        },
        tables: {
          ...{ peers: peers.length, pending: pending.length, synced: true, passes: 312, lastPassMs: 1.4 },
          restored: { neighbour: 0, fdb: 0, route: 1 },
        },
      },
    ],
    peers: {
      total: peers.length,
      kept: 0,
      byReach,
      families: [{ family: network.family, byReach }],
      probes: { isOn: true, why: null },
      notReachable,
    },
    pending: { total: pending.length, rows: pending.slice(0, MOST_ROWS) },
    rejected: { total: rejected.length, rows: rejected.slice(0, MOST_ROWS) },
    store: {
      kind: 'etcd',
      ...{ isUp: true, since: isoBefore(nowMs, 86_000), reconnects: 1, renewedAt: isoBefore(nowMs, 4_400) },
      endpoints: [{ url: 'http://172.16.3.2:2379', isUp: true, latencyMs: 1.8, lastError: null, lastErrorAt: null }],
      certificates: [],
    },
    firewall: {
      ...{
        isWanted: true,
        kind: 'nftables',
        holds: true,
        repairs: 0,
        lastLookAt: isoBefore(nowMs, 3),
        peerFilter: null,
      },
    },
    kernel: { requests: 15_123, errors: 0, overruns: 0, writes: 15_003 },
    events: events.slice(-MOST_ROWS),
  }
  return { status, peers, pending, rejected, events }
}

function stateOf(conditions: readonly ConditionStatus[]): StatusDocument['state'] {
  if (conditions.some(({ effect }) => effect === 'unready' || effect === 'incomplete')) return 'unready'
  return conditions.some(({ effect }) => effect === 'degraded') ? 'degraded' : 'ready'
}

function peerOf({ reaches, name, reserved = [] }: Shape, at: number, subnet: string, nowMs: number): PeerStatus {
  const reach = reaches?.get(at) ?? 'reachable'
  const [address = ''] = subnet.split('/')
  const isReached = reach === 'reachable' || reach === 'lossy' || reach === 'mtu'
  const publicIp = `172.${16 + (at >> 15)}.${(at >> 8) & 127}.${at & 255}`
  const mac = `0a:58:${[at >> 16, at >> 8, at, 7].map((octet) => (octet & 255).toString(16).padStart(2, '0')).join(':')}`
  return {
    family: subnet.includes(':') ? 6 : 4,
    name: name?.(at) ?? `rack${1 + (at >> 5)}-host${(at % 32) + 1}`,
    ...{ nodeId: null, key: `/coreos.com/network/subnets/${subnet.replace('/', '-')}`, subnet, publicIp },
    ...{ backendType: 'vxlan', isReserved: reserved.includes(at), mac, address, isDirect: false, keptUntil: null },
    entries: [
      { table: 'neighbour', row: `${address} lladdr ${mac}`, isInKernel: true },
      { table: 'fdb', row: `${mac} dst ${publicIp}`, isInKernel: true },
      { table: 'route', row: `${subnet} via ${address} onlink`, isInKernel: true },
    ],
    reach,
    reachSince: isoBefore(nowMs, reach === 'reachable' ? 120_000 + at : 400 + at),
    rttMs: isReached ? 0.3 + ((at * 37) % 23) / 20 : null,
    loss: { reachable: 0, unknown: 0, lossy: 0.3, mtu: 0, unreachable: 1 }[reach],
    passesOctets: reach === 'mtu' ? 1350 : null,
    underlay: reach === 'unreachable' ? { answers: at % 2 === 0, rttMs: 0.4, says: null } : null,
  }
}
