import type { PeerStatus } from '../status/document.ts'
import { printable } from '../text/printable.ts'
import type { Labels, PlainDefinition } from './definition.ts'
import type { PeerReadings } from './readings.ts'

const LABELS = ['family', 'subnet', 'public_ip', 'peer']

const labelsOf = ({ family, subnet, publicIp, name }: PeerStatus): Labels => ({
  family: `${family}`,
  subnet,
  public_ip: publicIp,
  peer: printable(name),
})

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
]
