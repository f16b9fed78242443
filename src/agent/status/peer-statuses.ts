import type { ReachablePeer } from '../../backend/judge.ts'
import type { PeerTraffic } from '../../kernel/tun.ts'
import { NO_ETCD_LEASE, type PeerRecord } from '../../lease/lease.ts'
import type { LeaseRecord } from '../../lease/store.ts'
import type { PeerReach } from '../../probe/reach.ts'
import type { PeerForwarderStatus, PeerStatus } from '../../status/document.ts'
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
  let left = choice.first ?? Number.POSITIVE_INFINITY
  const moments = new Moments(live)
  const traffic = new Map(families.map((family) => [family.family, family.traffic()]))
  for (const [key, entries] of session.peers.inForce()) {
    if (choice.key !== undefined && choice.key !== key) continue
    for (const family of families) {
      const peer = entries.get(family.family)
      if (peer === undefined || choice.mayBe?.(key, peer, session.peers) === false) continue
      const known = live.reaches.reach(key, family.family)
      if (choice.reach !== undefined && known.reach !== choice.reach) continue
      const status = peerStatus({
        moments,
        session,
        family,
        key,
        peer,
        known,
        traffic: traffic.get(family.family)?.get(key),
      })
      if (choice.matches?.(status) === false) continue
      yield status
      if (--left === 0) return
    }
  }
}

interface Found {
  readonly moments: Moments
  readonly session: SessionView
  readonly family: FamilyView
  readonly key: string
  readonly peer: ReachablePeer
  readonly known: PeerReach
  readonly traffic: PeerTraffic | undefined
}

function peerStatus({ moments, session, family, key, peer, known, traffic }: Found): PeerStatus {
  const { subnet, publicIp, onDevice } = peer
  const said = saidBy(session, key)
  return {
    family: family.family,
    name: nameOf(peer),
    nodeId: said.nodeId,
    key,
    subnet: subnet.text,
    publicIp: publicIp.text,
    backendType: said.backendType === undefined ? '' : printable(family.backendOf(said.backendType), LONGEST_NAME),
    isReserved: said.isReserved,
    keptUntil: moments.isoOrNull(session.peers.kept.get(key)),
    mac: onDevice.fdb[0]?.mac ?? null,
    address: family.device === undefined ? null : subnet.base.text,
    isDirect: family.isDirect(key),
    entries: [...family.rowsOf(key)],
    reach: known.reach,
    reachSince: moments.iso(known.sinceMs),
    rttMs: known.reach === 'unreachable' ? null : (known.rttMs ?? null), // that of the last answer says nothing of now
    loss: known.loss,
    passesOctets: known.passesOctets ?? null,
    underlay: underlayOf(known),
    ...(traffic && { forwarder: forwarderOf(traffic) }),
  }
}

const forwarderOf = ({ sent, received, refused }: PeerTraffic): PeerForwarderStatus => ({
  ...{ sentPackets: sent.packets, sentOctets: sent.octets },
  ...{ receivedPackets: received.packets, receivedOctets: received.octets, refusedPackets: refused },
})

/** What people call a peer. */
export const nameOf = ({ node, publicIp }: Pick<ReachablePeer, 'node' | 'publicIp'>): string =>
  node === undefined ? publicIp.text : printable(node, LONGEST_NAME)

interface SaidByLease extends Pick<PeerStatus, 'nodeId' | 'isReserved'> {
  /** Empty: it names none; undefined: it is not known. */
  readonly backendType: string | undefined
}

/** What its lease says and its entries do not. It was judged when it was accepted: of ten thousand, no more than this is read here. */
function saidBy({ peers }: SessionView, key: string): SaidByLease {
  const record: (PeerRecord & Partial<LeaseRecord>) | undefined = peers.recordOf(key)
  if (record === undefined) return { nodeId: null, backendType: undefined, isReserved: null }
  const value = parsed(record.value)
  const id = memberOf(memberOf(value, 'Node'), 'ID')
  const backendType = memberOf(value, 'BackendType')
  return {
    isReserved: record.etcdLeaseId === undefined ? null : record.etcdLeaseId === NO_ETCD_LEASE,
    nodeId: typeof id === 'string' ? printable(id, LONGEST_NAME) : null,
    backendType: typeof backendType === 'string' ? backendType : '',
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined

function underlayOf({ underlay }: PeerReach): PeerStatus['underlay'] {
  if (underlay === undefined) return null
  const { answers, rttMs = null, says = null } = underlay
  return { answers, rttMs, says: says === null ? null : printable(says) }
}
