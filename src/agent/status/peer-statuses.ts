import type { ReachablePeer } from '../../backend/judge.ts'
import { decodeLease } from '../../lease/codec.ts'
import { NO_ETCD_LEASE, type PeerRecord } from '../../lease/lease.ts'
import type { LeaseRecord } from '../../lease/store.ts'
import type { PeerReach } from '../../probe/reach.ts'
import type { PeerStatus } from '../../status/document.ts'
import { printable } from '../../text/printable.ts'
import type { FamilyView, SessionView } from '../view/session-view.ts'
import type { LiveAgent } from './live-agent.ts'
import { Moments } from './moments.ts'
import type { PeerChoice } from './peer-choice.ts'

/** Longest name of a node that is shown, in UTF-16 units (HOST_NAME_MAX of Linux is 64, of POSIX 255). */
const LONGEST_NAME = 255

/**
 * The peers in force that are chosen, one for each address family, made one by one as they are read: of ten thousand, none is kept. Peers that
 * come or go meanwhile may be among them or not.
 */
export function* peerStatuses(live: LiveAgent, choice: PeerChoice = {}): Generator<PeerStatus> {
  const { session } = live.status
  if (session === undefined) return
  const { families } = session
  const moments = new Moments(live)
  for (const [key, entries] of session.peers.inForce()) {
    if (choice.key !== undefined && choice.key !== key) continue
    for (const family of families) {
      const peer = entries.get(family.family)
      if (peer === undefined || !mayBeMeant(choice, key, peer)) continue
      const known = live.reaches.reach(key, family.family)
      if (choice.reach !== undefined && known.reach !== choice.reach) continue
      const status = peerStatus({ moments, session, family, key, peer, known })
      if (choice.matches?.(status) !== false) yield status
    }
  }
}

const mayBeMeant = ({ mayBe }: PeerChoice, key: string, peer: ReachablePeer): boolean => mayBe?.(key, peer) !== false

interface Found {
  readonly moments: Moments
  readonly session: SessionView
  readonly family: FamilyView
  readonly key: string
  readonly peer: ReachablePeer
  readonly known: PeerReach
}

function peerStatus({ moments, session, family, key, peer, known }: Found): PeerStatus {
  const { subnet, publicIp, onDevice } = peer
  const said = saidBy(session, key)
  return {
    family: family.family,
    name: nameOf(peer),
    nodeId: said.nodeId,
    key,
    subnet: subnet.text,
    publicIp: publicIp.text,
    backendType: said.backendType,
    isReserved: said.isReserved,
    mac: onDevice.fdb[0]?.mac ?? null,
    address: onDevice.neighbours[0]?.ip.text ?? null,
    isDirect: family.isDirect(key),
    entries: [...family.rowsOf(key)],
    ...reachOf(known, moments),
  }
}

/** What people call a peer. */
export const nameOf = ({ node, publicIp }: Pick<ReachablePeer, 'node' | 'publicIp'>): string =>
  node === undefined ? publicIp.text : printable(node, LONGEST_NAME)

/** What its lease says and its entries do not. */
function saidBy({ peers }: SessionView, key: string): Pick<PeerStatus, 'nodeId' | 'backendType' | 'isReserved'> {
  const record: (PeerRecord & Partial<LeaseRecord>) | undefined = peers.recordOf(key)
  const lease = record && decodeLease(record)
  if (record === undefined || lease === undefined || 'rejected' in lease)
    return { nodeId: null, backendType: '', isReserved: null }
  return {
    isReserved: record.etcdLeaseId === undefined ? null : record.etcdLeaseId === NO_ETCD_LEASE,
    nodeId: lease.node === undefined ? null : printable(lease.node.id, LONGEST_NAME),
    backendType: printable(lease.backendType, LONGEST_NAME),
  }
}

type ReachPart = Pick<PeerStatus, 'reach' | 'reachSince' | 'rttMs' | 'loss' | 'passesOctets' | 'underlay'>

function reachOf(known: PeerReach, moments: Moments): ReachPart {
  const { reach, sinceMs, rttMs = null, loss, passesOctets = null, underlay } = known
  return {
    ...{ reach, reachSince: moments.iso(sinceMs), rttMs, loss, passesOctets },
    underlay:
      underlay === undefined
        ? null
        : { answers: underlay.answers, rttMs: underlay.rttMs ?? null, says: underlay.says ?? null },
  }
}
