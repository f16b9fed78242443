import type { Claims } from '../lease/claims.ts'
import { decodeLease } from '../lease/codec.ts'
import type { Lease } from '../lease/lease.ts'
import { peerObjection, type Surroundings } from '../lease/peer-rules.ts'
import type { Judge, Verdict } from '../lease/peers.ts'
import type { PeerEntries } from '../reconcile/entries.ts'
import { peerEntries } from './peer-entries.ts'
import type { Vtep } from './vtep.ts'

/** Judges lease records for a vxlan node: decode, the rules every peer must keep, then the entries. Our own key is ignored. */
export function vxlanJudge(vtep: Vtep, ownKey: string, around: () => Surroundings): Judge<PeerEntries> {
  return (record) => {
    if (record.key === ownKey) return { ignored: true }
    const lease = decodeLease(record)
    return 'rejected' in lease ? lease : judgeLease(lease, vtep, around())
  }
}

function judgeLease(lease: Lease, vtep: Vtep, around: Surroundings): Verdict<PeerEntries> {
  for (const part of lease.families) {
    const objection = peerObjection(part, around)
    if (objection !== undefined) return { rejected: objection }
  }
  const entries = peerEntries(lease, vtep)
  if ('rejected' in entries) return entries
  return { accepted: entries, claims: exclusiveClaims(entries) }
}

/**
 * Two peers with one VtepMAC would overwrite each other's forwarding entry. Of overlapping subnets the narrower would take part of the
 * other's traffic; and a subnet around another's PublicIP would draw that peer's own tunnel into ours. Gateways need no claim: they are
 * the bases of the subnets.
 */
const exclusiveClaims = (entries: PeerEntries): Claims => ({
  names: entries.fdb.map(({ mac }) => `VtepMAC ${mac}`),
  subnets: entries.routes.map(({ destination }) => destination),
  addresses: entries.fdb.map(({ remote }) => remote),
})
