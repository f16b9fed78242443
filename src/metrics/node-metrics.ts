import { COUNTED_TABLES } from '../counts/agent-counts.ts'
import { REACHES } from '../probe/reach.ts'
import { asNumber, oneOf, type Definition, type Sample } from './definition.ts'
import type { Readings } from './readings.ts'
import { REJECTION_CODES } from '../lease/rejection.ts'
import type { ForwarderStatus } from '../status/document.ts'

/** More conditions than there are names for, whatever interfaces and bridges a host has. */
const MOST_CONDITIONS = 60

/** How many there are of each, 0 where there is none. */
function counted(label: string, all: readonly string[], found: Iterable<string>): readonly Sample[] {
  const counts = new Map(all.map((one) => [one, 0]))
  for (const one of found) counts.set(one, (counts.get(one) ?? 0) + 1)
  return Array.from(counts, ([one, value]) => ({ labels: { [label]: one }, value }))
}

function* conditions({ status }: Readings): Generator<Sample> {
  for (const { what, effect } of status.conditions.slice(0, MOST_CONDITIONS))
    yield { labels: { condition: what, effect }, value: 1 }
}

function* rejected({ rejections }: Readings): Generator<Sample> {
  yield* counted('reason', REJECTION_CODES, rejections)
}

function* pending({ pending: rows, status }: Readings): Generator<Sample> {
  const names = status.families.flatMap(({ family }) => COUNTED_TABLES.map((table) => `${family} ${table}`))
  const found: string[] = []
  for (const { family, table } of rows) found.push(`${family} ${table}`)
  for (const { labels, value } of counted('row', names, found)) {
    const [family = '', table = ''] = (labels?.['row'] ?? '').split(' ')
    yield { labels: { family, table }, value }
  }
}

/** Of the devices whose packets the agent carries: what it has sent, and what it has received. */
function* carried({ status }: Readings, of: (counts: ForwarderStatus) => readonly [number, number]): Generator<Sample> {
  for (const { family, device } of status.families) {
    if (device === null || device.forwarder === null) continue
    const [sent, received] = of(device.forwarder)
    yield { labels: { family: `${family}`, direction: 'sent' }, value: sent }
    yield { labels: { family: `${family}`, direction: 'received' }, value: received }
  }
}

/** Of the node, its peers and its tables. */
export const NODE_METRICS: readonly Definition<Readings>[] = [
  {
    name: 'flannel_build_info',
    type: 'gauge',
    help: 'Version and commit of the agent, and the version of Node.js that it runs on; always 1',
    labels: ['version', 'commit', 'nodejs'],
    read: ({ status: { agent }, process: { nodejs } }) => [
      { labels: { version: agent.version, commit: agent.commit, nodejs }, value: 1 },
    ],
  },
  {
    name: 'flannel_node_state',
    type: 'gauge',
    help: '1 for the state that this node is in, as /readyz tells it, 0 for the others',
    labels: ['state'],
    read: ({ status }) => oneOf('state', ['ready', 'degraded', 'unready'], status.state),
  },
  {
    name: 'flannel_condition',
    type: 'gauge',
    help: '1 for each condition that fails now, with what it keeps from being said; conditions that hold have no series',
    labels: ['condition', 'effect'],
    read: conditions,
  },
  {
    name: 'flannel_peers',
    type: 'gauge',
    help: 'Peers in force by whether packets reach them over the overlay, counted once in each address family',
    labels: ['reach'],
    read: ({ status }) => REACHES.map((reach) => ({ labels: { reach }, value: status.peers.byReach[reach] })),
  },
  {
    name: 'flannel_probe_questions_total',
    type: 'counter',
    help: 'Questions that were sent to peers over the overlay',
    labels: [],
    read: ({ probes }) => [{ value: probes?.questions }],
  },
  {
    name: 'flannel_probe_answers_total',
    type: 'counter',
    help: 'Questions to peers that were answered in time',
    labels: [],
    read: ({ probes }) => [{ value: probes?.answers }],
  },
  {
    name: 'flannel_probe_losses_total',
    type: 'counter',
    help: 'Questions to peers that were not answered in time',
    labels: [],
    read: ({ probes }) => [{ value: probes?.lost }],
  },
  {
    name: 'flannel_probe_round_trip_seconds',
    type: 'histogram',
    help: 'Round trips to peers and back over the overlay, of questions that were answered',
    labels: [],
    read: ({ probes }) => [{ histogram: probes?.roundTrips }],
  },
  {
    name: 'flannel_rejected_leases',
    type: 'gauge',
    help: 'Leases of other nodes that are not programmed because they break a rule or claim what another has',
    labels: ['reason'],
    read: rejected,
  },
  {
    name: 'flannel_pending_rows',
    type: 'gauge',
    help: 'Kernel table entries that are not as they should be at this moment',
    labels: ['family', 'table'],
    read: pending,
  },
  {
    name: 'flannel_restored_rows_total',
    type: 'counter',
    help: 'Kernel table entries that others had changed or removed, and that were put right',
    labels: ['family', 'table'],
    *read({ counts }) {
      for (const [family, { restored }] of counts.families)
        for (const table of COUNTED_TABLES) yield { labels: { family: `${family}`, table }, value: restored[table] }
    },
  },
  {
    name: 'flannel_refused_rows_total',
    type: 'counter',
    help: 'Writes of kernel table entries that the kernel has refused, every attempt counted',
    labels: ['family'],
    *read({ counts }) {
      for (const [family, { refused }] of counts.families) yield { labels: { family: `${family}` }, value: refused }
    },
  },
  {
    name: 'flannel_tables_synced',
    type: 'gauge',
    help: 'Whether the kernel tables of this address family were complete at least once since the lease is held',
    labels: ['family'],
    read: ({ status }) =>
      status.families.map(({ family, tables }) => ({ labels: { family: `${family}` }, value: Number(tables.synced) })),
  },
  {
    name: 'flannel_pass_duration_seconds',
    type: 'histogram',
    help: 'How long passes took, each of which reads what is not known of the kernel tables and writes what differs',
    labels: ['family'],
    *read({ counts }) {
      for (const [family, { passes }] of counts.families)
        yield { labels: { family: `${family}` }, histogram: passes.read() }
    },
  },
  {
    name: 'flannel_underlay_carrier',
    type: 'gauge',
    help: 'Whether the interface that carries the overlay has a carrier',
    labels: ['family', 'interface'],
    read: ({ status }) =>
      status.families.map(({ family, underlay }) => ({
        labels: { family: `${family}`, interface: underlay.interface },
        value: Number(underlay.hasCarrier),
      })),
  },
  {
    name: 'flannel_overlay_mtu_bytes',
    type: 'gauge',
    help: 'MTU of the device of the overlay, which is what containers may send',
    labels: ['family', 'device'],
    read: ({ status }) =>
      status.families.map(({ family, device }) => ({
        labels: { family: `${family}`, device: device?.name ?? '' },
        value: device?.mtu,
      })),
  },
  {
    name: 'flannel_forwarded_packets_total',
    type: 'counter',
    help: 'Packets that the agent itself has carried since its device was made; absent where the kernel carries them',
    labels: ['family', 'direction'],
    read: (readings) => carried(readings, ({ sentPackets, receivedPackets }) => [sentPackets, receivedPackets]),
  },
  {
    name: 'flannel_forwarded_bytes_total',
    type: 'counter',
    help: 'Octets of these packets, without what carries them over the underlay',
    labels: ['family', 'direction'],
    read: (readings) => carried(readings, ({ sentOctets, receivedOctets }) => [sentOctets, receivedOctets]),
  },
  {
    name: 'flannel_forwarder_drops_total',
    type: 'counter',
    help: 'Packets that the agent was to carry and has dropped, by why',
    labels: ['family', 'reason'],
    *read({ status }) {
      for (const { family, device } of status.families)
        for (const [reason, value] of Object.entries(device?.forwarder?.drops ?? {}))
          yield { labels: { family: `${family}`, reason }, value }
    },
  },
  {
    name: 'flannel_netlink_requests_total',
    type: 'counter',
    help: 'Requests and operations sent to the kernel',
    labels: [],
    read: ({ status }) => [{ value: status.kernel.requests }],
  },
  {
    name: 'flannel_netlink_writes_total',
    type: 'counter',
    help: 'Operations sent to the kernel that change something',
    labels: [],
    read: ({ status }) => [{ value: status.kernel.writes }],
  },
  {
    name: 'flannel_netlink_errors_total',
    type: 'counter',
    help: 'Requests and operations that the kernel refused, or did not answer',
    labels: [],
    read: ({ status }) => [{ value: status.kernel.errors }],
  },
  {
    name: 'flannel_netlink_overruns_total',
    type: 'counter',
    help: 'Times that reports of changes were lost because too many came at once; the tables were read again',
    labels: [],
    read: ({ status }) => [{ value: status.kernel.overruns }],
  },
  {
    name: 'flannel_firewall_rules_hold',
    type: 'gauge',
    help: 'Whether the rules of the agent stood in the firewall at its last look; absent where none are wanted',
    labels: [],
    read: ({ status: { firewall } }) => [{ value: firewall.isWanted ? asNumber(firewall.holds) : undefined }],
  },
  {
    name: 'flannel_firewall_repairs_total',
    type: 'counter',
    help: 'Looks at the firewall that found rules of the agent changed by others, and put them right',
    labels: [],
    read: ({ counts }) => [{ value: counts.firewallRepairs }],
  },
  {
    name: 'flannel_peer_filter_dropped_packets_total',
    type: 'counter',
    help: 'Packets dropped by --vxlan-peer-filter: of hosts that are no peers, and those that this host itself forged',
    labels: ['source'],
    read: ({ status, counts: { filterDrops } }) =>
      status.firewall.peerFilter === null
        ? []
        : [
            { labels: { source: 'stranger' }, value: filterDrops.strangers },
            { labels: { source: 'forged_here' }, value: filterDrops.forged },
          ],
  },
  {
    name: 'flannel_neighbour_table_overflows_total',
    type: 'counter',
    help: 'Times that the neighbour table of the kernel had no room, so that a packet was dropped; absent where the kernel does not tell',
    labels: ['family'],
    *read({ counts }) {
      for (const [family, value] of counts.neighbourOverflows) yield { labels: { family: `${family}` }, value }
    },
  },
  {
    name: 'flannel_event_loop_lag_seconds',
    type: 'histogram',
    help: 'By how much a timer of the agent was late, measured every five seconds',
    labels: [],
    read: ({ counts }) => [{ histogram: counts.lag.read() }],
  },
]
