import type { Claims } from '../lease/peers/claims.ts'
import { decodeLease } from '../lease/codec.ts'
import { leaseFamily, NO_ETCD_LEASE, type Lease, type LeaseFamily, type PeerRecord } from '../lease/lease.ts'
import { ownerName } from '../lease/owner.ts'
import { peerObjection, type PeerLimits } from '../lease/peers/peer-rules.ts'
import type { Accepted, Judge, PeerVerdict } from '../lease/peers/peer-table.ts'
import type { Family, Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { PeerEntries } from '../reconcile/entries.ts'
import type { Backend } from './backend.ts'

/** A peer in one family: what it takes in the kernel's tables to reach it, and who it is. */
export interface ReachablePeer extends PeerEntries {
  readonly subnet: Prefix
  /** Where it is on the underlay. */
  readonly publicIp: Ip
  /** What it calls itself, for people: its host's name, else its id; undefined: upstream's nodes do not say. */
  readonly node: string | undefined
}

/** What it takes to reach one peer, for each family that both have. */
export type EntriesByFamily = ReadonlyMap<Family, ReachablePeer>

/** What a judge is told of its node. */
export interface OwnNode {
  /** One for each family, all of one kind. */
  readonly backends: readonly Backend[]
  readonly ownKey: string
  readonly limits: () => PeerLimits
  /** Our id, by which a lease of ours from before is told from one of another host. */
  readonly nodeId?: string
  /** Called for every peer of another backend: it is none of ours, nor is anything wrong with it. */
  readonly onForeign?: (backendType: string) => void
}

/**
 * Judges lease records: decode, the rules every peer must keep, then what the backend makes of it. Our own key is ignored; so is, of a
 * peer, the family that we do not have.
 */
export function backendJudge(node: OwnNode): Judge<EntriesByFamily> {
  return {
    verdict: (record) => {
      if (record.key === node.ownKey) return { ignored: true }
      const lease = decodeLease(record)
      if ('rejected' in lease) return lease
      // a reservation that waits for its node is nobody's yet; without a type on an etcd lease, it is of upstream's udp
      const isReservation = lease.backendType === '' && !isOurs(lease, node) && isForEver(record)
      return isReservation ? { ignored: true } : judgeLease(lease, node)
    },
    accepted: (record) => {
      const lease = decodeLease(record)
      return 'rejected' in lease ? undefined : acceptedLease(lease, node)
    },
  }
}

const isForEver = (record: PeerRecord): boolean => 'etcdLeaseId' in record && record.etcdLeaseId === NO_ETCD_LEASE

const isOurs = ({ backendType }: Lease, { backends }: OwnNode): boolean =>
  backends.some(({ leaseTypes }) => leaseTypes.includes(backendType))

function judgeLease(lease: Lease, node: OwnNode): PeerVerdict {
  const { backendType } = lease
  if (!isOurs(lease, node)) {
    node.onForeign?.(backendType === '' ? 'none' : backendType)
    return { ignored: true }
  }
  const limits = node.limits()
  const owner = lease.node !== undefined && lease.node.id === node.nodeId ? undefined : ownerName(lease)
  const [parts, names]: [LeaseFamily[], string[]] = [[], []]
  for (const { own, reach, claimedNames } of node.backends) {
    const part = leaseFamily(lease, own.overlay.family)
    if (part === undefined || reach === undefined) continue
    const objection = peerObjection(part, limits, owner)
    if (objection !== undefined) return { ...objection, claims: claimsInVain(lease, node.backends) }
    const entries = reach(lease)
    if ('rejected' in entries) return entries
    parts.push(part)
    names.push(...claimedNames(entries))
  }
  if (parts.length === 0) return { ignored: true }
  const claims = exclusiveClaims(parts, names)
  return { accepted: { claims, isSigned: lease.node !== undefined, node: nameIn(lease) } }
}

const nameIn = ({ node }: Lease): string | undefined => node?.hostname || node?.id

function acceptedLease(lease: Lease, { backends }: OwnNode): Accepted<EntriesByFamily> | undefined {
  const entriesByFamily = new Map<Family, ReachablePeer>()
  const names: string[] = []
  for (const { own, reach, claimedNames } of backends) {
    const { family } = own.overlay
    const part = leaseFamily(lease, family)
    const entries = part && reach?.(lease)
    if (part === undefined || entries === undefined) continue
    if ('rejected' in entries) return undefined
    const { onDevice, onUnderlay } = entries
    const { subnet, publicIp } = part
    const node = nameIn(lease)
    entriesByFamily.set(family, { onDevice, onUnderlay, subnet, publicIp, node })
    names.push(...claimedNames(entries))
  }
  const claims = exclusiveClaims([...entriesByFamily.values()], names)
  return { entries: entriesByFamily, claims, isSigned: lease.node !== undefined, node: nameIn(lease) }
}

/** What a lease claims that breaks a rule: should it ever keep them, its claims are as old as they are. */
function claimsInVain(lease: Lease, backends: readonly Backend[]): Claims | undefined {
  const names: string[] = []
  const parts = backends.flatMap(({ own, reach, claimedNames }) => {
    const part = leaseFamily(lease, own.overlay.family)
    const entries = part && reach?.(lease)
    if (part === undefined || entries === undefined || 'rejected' in entries) return []
    names.push(...claimedNames(entries))
    return [part]
  })
  return parts.length === 0 ? undefined : exclusiveClaims(parts, names)
}

/**
 * Of overlapping subnets the narrower would take part of the other's traffic; and a subnet around another's PublicIP would draw that
 * peer's own packets into the overlay. Gateways on a device need no claim: they are the bases of the subnets.
 */
const exclusiveClaims = (
  parts: readonly Pick<ReachablePeer, 'subnet' | 'publicIp'>[],
  names: readonly string[],
): Claims => ({
  names,
  subnets: parts.map(({ subnet }) => subnet),
  addresses: parts.map(({ publicIp }) => publicIp),
})
