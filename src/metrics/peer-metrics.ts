import type { PeerForwarderStatus, PeerStatus } from '../status/document.ts'
import { printable } from '../text/printable.ts'
import type { Labels, PlainDefinition, Sample } from './definition.ts'
import type { PeerReadings } from './readings.ts'

const LABELS = ['family', 'subnet', 'public_ip', 'peer']

const labelsOf = ({ family, subnet, publicIp, name }: PeerStatus): Labels => ({
  family: `${family}`,
  subnet,
  public_ip: publicIp,
  peer: printable(name),
})

/** What was sent to each of them, and received from it. */
function* carried(
  peers: Iterable<PeerStatus>,
  of: (counts: PeerForwarderStatus) => readonly [number, number],
): Generator<Sample> {
  for (const peer of peers) {
    if (peer.forwarder === undefined) continue
    const [sent, received] = of(peer.forwarder)
    yield { labels: { ...labelsOf(peer), direction: 'sent' }, value: sent }
    yield { labels: { ...labelsOf(peer), direction: 'received' }, value: received }
  }
}

/** Of each peer: only for who asks for them, since there are as many series as peers, and as many again on every node. */
export const PEER_METRICS: readonly PlainDefinition<PeerReadings>[] = [
  {
    name: 'flannel_peer_reachable',
    type: 'gauge',
    help: 'Whether packets of all sizes reach this peer over the overlay; absent while that is not known',
    labels: LABELS,
    *read({ peers }) {
      for (const peer of peers())
        if (peer.reach !== 'unknown') yield { labels: labelsOf(peer), value: Number(peer.reach === 'reachable') }
    },
  },
  {
    name: 'flannel_peer_round_trip_seconds',
    type: 'gauge',
    help: 'Round trip of the last answer of this peer over the overlay',
    labels: LABELS,
    *read({ peers }) {
      for (const peer of peers()) if (peer.rttMs !== null) yield { labels: labelsOf(peer), value: peer.rttMs / 1_000 }
    },
  },
  {
    name: 'flannel_peer_loss_ratio',
    type: 'gauge',
    help: 'Share of the last questions to this peer that were not answered',
    labels: LABELS,
    *read({ peers }) {
      for (const peer of peers()) if (peer.reach !== 'unknown') yield { labels: labelsOf(peer), value: peer.loss }
    },
  },
  {
    name: 'flannel_peer_forwarded_packets_total',
    type: 'counter',
    help: 'Packets that the agent itself has carried to and from this peer; absent where the kernel carries them',
    labels: [...LABELS, 'direction'],
    read: ({ peers }) => carried(peers(), ({ sentPackets, receivedPackets }) => [sentPackets, receivedPackets]),
  },
  {
    name: 'flannel_peer_forwarded_bytes_total',
    type: 'counter',
    help: 'Octets of these packets, without what carries them over the underlay',
    labels: [...LABELS, 'direction'],
    read: ({ peers }) => carried(peers(), ({ sentOctets, receivedOctets }) => [sentOctets, receivedOctets]),
  },
  {
    name: 'flannel_peer_forwarder_refused_total',
    type: 'counter',
    help: 'Packets of this peer that the agent has dropped, since they were not from its subnet',
    labels: LABELS,
    *read({ peers }) {
      for (const peer of peers())
        if (peer.forwarder !== undefined) yield { labels: labelsOf(peer), value: peer.forwarder.refusedPackets }
    },
  },
]
