import { decodeLease, parseLeaseKey } from '../lease/codec.ts'
import { NO_ETCD_LEASE, type Lease, type NodeIdentity } from '../lease/lease.ts'
import { ownerOf } from '../lease/owner.ts'
import type { LeaseRecord } from '../lease/store.ts'
import { hasOurAddress, hasOurAddresses, isOursBeyondDoubt, type Trace } from '../lease/terms.ts'
import type { Family, Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { AddressState, LinkState } from '../kernel/kernel.ts'
import { publishedMac } from '../backend/vxlan/backend-data.ts'
import { ownDevices } from './plan.ts'

/** What tells whose a lease is: who this host is, and what it shows before anything is removed. */
export interface HostTitle {
  readonly node: NodeIdentity
  /** All addresses of the host. */
  readonly addresses: readonly AddressState[]
  readonly links: readonly LinkState[]
  /** Of the subnet file. */
  readonly subnets: readonly Prefix[]
}

/** What becomes of a lease when this host goes. */
export type LeaseVerdict =
  | { readonly kind: 'ours' }
  /** It has our node id, as a copy of this machine would have: ours unless another machine answers for it. */
  | { readonly kind: 'doubtful'; readonly lease: Lease; readonly hasOurAddress: boolean }
  /** It has to do with this host, but is not to be given back. */
  | { readonly kind: 'kept'; readonly why: string }
  | { readonly kind: 'unrelated' }

/** A record, and what is to become of it. */
export interface Judged {
  readonly record: LeaseRecord
  readonly verdict: LeaseVerdict
}

/** A record that is to be given back, unless another machine answers for it. */
export interface Claimed extends Judged {
  readonly verdict: Extract<LeaseVerdict, { readonly kind: 'ours' | 'doubtful' }>
}

export const isClaimed = (judged: Judged): judged is Claimed =>
  judged.verdict.kind === 'ours' || judged.verdict.kind === 'doubtful'

/** What a lease must show to be given back for this host. Pure. `prefix`: of etcd, for advice. */
export function judgeLease(record: LeaseRecord, host: HostTitle, prefix: string): Judged {
  const lease = decodeLease(record)
  if (!('rejected' in lease)) return { record, verdict: verdictOn(lease, record, host, prefix) }
  const isNamed = (parseLeaseKey(record.key) ?? []).some((subnet) => isSubnetOf(host, subnet))
  const why = `the subnet file names it, but it cannot be read: ${lease.rejected}`
  return { record, verdict: isNamed ? { kind: 'kept', why } : UNRELATED }
}

const OURS: LeaseVerdict = { kind: 'ours' }
const UNRELATED: LeaseVerdict = { kind: 'unrelated' }

function verdictOn(lease: Lease, record: LeaseRecord, host: HostTitle, prefix: string): LeaseVerdict {
  const verdict = titleTo(lease, record, host)
  const isGoing = verdict.kind === 'ours' || verdict.kind === 'doubtful'
  if (!isGoing || record.etcdLeaseId !== NO_ETCD_LEASE) return verdict
  const why = `it is a reservation, on no etcd lease, and this node's for ever; to give it up too: etcdctl del '${prefix}/subnets/${record.key}'`
  return { kind: 'kept', why }
}

/**
 * Our node id makes a lease ours, but a copy of this machine has the same. A lease without one is upstream's, for which its PublicIP is
 * all there is: that must be an address of this host, or the device here must have its VtepMAC. The subnet file alone may be of another
 * time: the subnet can be another node's by now.
 */
function titleTo(lease: Lease, record: LeaseRecord, host: HostTitle): LeaseVerdict {
  const terms = { node: host.node, publicIps: addressesFor(lease, host), traceOf: (one: Lease) => traceOf(one, host) }
  const trace = terms.traceOf(lease)
  if (lease.node?.id === host.node.id)
    return isOursBeyondDoubt(lease, terms)
      ? OURS
      : { kind: 'doubtful', lease, hasOurAddress: hasOurAddresses(lease, terms) }
  if (lease.node !== undefined) {
    const isRelated = trace !== undefined || hasOurAddress(lease, terms)
    return isRelated ? { kind: 'kept', why: `it belongs to ${ownerOf(record)}` } : UNRELATED
  }
  if (hasOurAddresses(lease, terms) || trace === 'device') return OURS
  const why = `the subnet file names it, but it may be that of ${ownerOf(record)} by now: this host does not have that address`
  return trace === undefined ? UNRELATED : { kind: 'kept', why }
}

/** The lease's own addresses, as far as this host has them. */
function addressesFor(lease: Lease, { addresses }: HostTitle): ReadonlyMap<Family, Ip> {
  const isHere = ({ text }: Ip): boolean => addresses.some(({ ip, scope }) => ip.text === text && scope !== 'host')
  return new Map(lease.families.flatMap(({ family, publicIp }) => (isHere(publicIp) ? [[family, publicIp]] : [])))
}

/** The device says more than the file, which may be of another time. */
function traceOf(lease: Lease, host: HostTitle): Trace | undefined {
  const macs = new Set(ownDevices(host).map(({ mac }) => mac))
  const isOnDevice = lease.families.some(({ family }) => {
    const mac = publishedMac(family, lease)
    return mac !== undefined && macs.has(mac)
  })
  if (isOnDevice) return 'device'
  return lease.families.some(({ subnet }) => isSubnetOf(host, subnet)) ? 'subnet' : undefined
}

const isSubnetOf = ({ subnets }: HostTitle, subnet: Prefix): boolean => subnets.some(({ text }) => text === subnet.text)
