import type { Claims } from '../lease/claims.ts'
import { decodeLease } from '../lease/codec.ts'
import { leaseFamily, type Lease } from '../lease/lease.ts'
import { peerObjection, type Surroundings } from '../lease/peer-rules.ts'
import type { Judge, Verdict } from '../lease/peers.ts'
import type { Family } from '../net/ip.ts'
import type { PeerEntries } from '../reconcile/entries.ts'
import { BACKEND_TYPE, peerEntries } from './peer-entries.ts'
import type { Vtep } from './vtep.ts'

/** What it takes to reach one peer, for each family that both have. */
export type PeerLanes = ReadonlyMap<Family, PeerEntries>

/** What a judge is told of its node. */
export interface OwnNode {
  /** Our tunnel end points, one per family. */
  readonly vteps: readonly Vtep[]
  readonly ownKey: string
  readonly around: () => Surroundings
  /** Called for every peer of another backend: it is none of ours, nor is anything wrong with it. */
  readonly onForeign?: (backendType: string) => void
}

/**
 * Judges lease records for a vxlan node: decode, the rules every peer must keep, then the entries. Our own key is ignored; so is, of a
 * peer, the family that we do not have.
 */
export function vxlanJudge(node: OwnNode): Judge<PeerLanes> {
  return (record) => {
    if (record.key === node.ownKey) return { ignored: true }
    const lease = decodeLease(record)
    return 'rejected' in lease ? lease : judgeLease(lease, node)
  }
}

function judgeLease(lease: Lease, { vteps, around, onForeign }: OwnNode): Verdict<PeerLanes> {
  const { backendType } = lease
  if (backendType !== BACKEND_TYPE && backendType !== '') {
    onForeign?.(backendType)
    return { ignored: true }
  }
  const lanes = new Map<Family, PeerEntries>()
  for (const vtep of vteps) {
    const part = leaseFamily(lease, vtep.family)
    if (part === undefined) continue
    const objection = peerObjection(part, around())
    if (objection !== undefined) return { rejected: objection }
    const entries = peerEntries(lease, vtep)
    if ('rejected' in entries) return entries
    lanes.set(vtep.family, entries)
  }
  return lanes.size === 0 ? { ignored: true } : { accepted: lanes, claims: exclusiveClaims(lanes) }
}

/**
 * Two peers with one VtepMAC would overwrite each other's forwarding entry. Of overlapping subnets the narrower would take part of the
 * other's traffic; and a subnet around another's PublicIP would draw that peer's own tunnel into ours. Gateways need no claim: they are
 * the bases of the subnets.
 */
const exclusiveClaims = (lanes: PeerLanes): Claims => {
  const each = [...lanes]
  return {
    names: each.flatMap(([family, { fdb }]) => fdb.map(({ mac }) => `${FDB_OF[family]} ${mac}`)),
    subnets: each.flatMap(([, { routes }]) => routes.map(({ destination }) => destination)),
    addresses: each.flatMap(([, { fdb }]) => fdb.map(({ remote }) => remote)),
  }
}

/** Each device has forwarding entries of its own: what is taken on one is free on the other. */
const FDB_OF: Readonly<Record<Family, string>> = { 4: 'VtepMAC', 6: 'IPv6 VtepMAC' }
