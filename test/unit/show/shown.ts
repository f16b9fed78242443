import { plainly } from '../../../src/present/paint.ts'
import { showAway, type AwayDocument } from '../../../src/show/away.ts'
import { eventLine } from '../../../src/show/events.ts'
import { showPeer } from '../../../src/show/peer.ts'
import { showPeers } from '../../../src/show/peers.ts'
import { pingLine, PingTally } from '../../../src/show/ping.ts'
import { showStatus } from '../../../src/show/status.ts'
import type { PeerStatus, StatusDocument } from '../../../src/status/document.ts'
import { showTrace } from '../../../src/trace/show.ts'
import { steps } from '../../../src/trace/steps.ts'
import {
  SAMPLE_AT,
  sampleEvent,
  samplePeer,
  samplePeers,
  sampleStatus,
  secondsBefore,
  UNREACHABLE,
} from '../../fake/status-samples.ts'
import { TABLES, traceFacts } from '../../fake/trace-samples.ts'

export const LOOKS = { paint: plainly, width: 100 } as const

const CUT = samplePeer(1, UNREACHABLE)
const NARROW = samplePeer(3, { reach: 'mtu', reachSince: secondsBefore(600), passesOctets: 1400 })
export const SOME_PEERS: readonly PeerStatus[] = [CUT, samplePeer(2), NARROW]

export const DEGRADED: StatusDocument = sampleStatus(SOME_PEERS, {
  state: 'degraded',
  conditions: [
    {
      what: 'answers of peers over IPv4',
      reason: '1 of 3 peers does not answer: host-1',
      effect: 'degraded',
      since: secondsBefore(185),
      forSeconds: 185,
      fault: null,
    },
    {
      what: 'packet size to peers over IPv4',
      reason: '1 of 3 peers takes no packets of full size: host-3',
      effect: 'degraded',
      since: secondsBefore(600),
      forSeconds: 600,
      fault: null,
    },
  ],
})

export const AWAY: AwayDocument = {
  ...{ version: 1, at: SAMPLE_AT, state: 'away', hostname: 'host-zero', pid: null },
  why: '/run/flannel/flanneld.sock has nobody behind it',
  devices: [
    {
      ...{ name: 'flannel.1', isCarried: false, vni: 1, port: 8472, mtu: 1450, isUp: true, addresses: ['10.15.0.0'] },
      ...{ neighbours: 3, fdb: 3, routes: 3 },
    },
  ],
  subnetFile: { path: '/run/flannel/subnet.env', subnets: ['10.15.0.0/20'], writtenAt: secondsBefore(7_500) },
  store: { name: 'etcd', endpoints: 'http://192.168.9.1:2379', problem: null, leases: 4, own: ['10.15.0.0-20'] },
}

function pinged(): string {
  const peer = samplePeer(2)
  const tally = new PingTally()
  const lines = [0.4, 0.312, 0.52].map((rttMs) => {
    tally.add({ reach: 'reachable', rttMs })
    return pingLine({ ...peer, rttMs }, LOOKS)
  })
  return `${lines.join('')}${peer.name} (${peer.address ?? ''}): ${tally.toString()}\n`
}

const TRACED = traceFacts({ tables: { ...TABLES, fdb: [] } }, { asked: { ...CUT } })

/** What docs/commands.md shows, by the name in the comment before it. */
export const SHOWN: Readonly<Record<string, string>> = {
  'status-ready': showStatus(sampleStatus([samplePeer(1), samplePeer(2), samplePeer(3)]), LOOKS),
  'status-degraded': showStatus(DEGRADED, LOOKS),
  'status-away': showAway(AWAY, LOOKS),
  peers: showPeers(samplePeers(SOME_PEERS), LOOKS),
  peer: showPeer(samplePeers([CUT]), LOOKS),
  ping: pinged(),
  'ping-unreachable': pingLine(CUT, LOOKS),
  trace: showTrace(TRACED.peer, steps(TRACED), LOOKS),
  events: [
    sampleEvent(1),
    sampleEvent(2, {
      level: 'warn',
      text: 'answers of peers over IPv4: 1 of 3 peers does not answer: host-1',
      kind: 'condition-failed',
      fields: { condition: 'answers of peers over IPv4', reason: '1 of 3 peers does not answer: host-1' },
    }),
  ]
    .map((event) => eventLine(event, LOOKS))
    .join(''),
}
