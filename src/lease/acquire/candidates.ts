import type { OverlayNetwork } from '../../config/network.ts'
import { hostPrefix, prefixCovers, prefixesOverlap, type Prefix } from '../../net/prefix.ts'
import type { Lease } from '../lease.ts'
import { ownerOf } from '../owner.ts'
import type { LeaseList, LeaseRecord } from '../store.ts'
import { hasOurAddress, hasOurAddresses, isOursBeyondDoubt, leaseFits, ownershipOf, type LeaseTerms } from '../terms.ts'
import type { Listed, Listing } from './listing.ts'

/**
 * All leases of ours, the best first: before all others those that fit the configuration; then that which the subnet file names, since
 * our containers live in its subnet; then that with our node id and our device's MAC, whatever address it has; then that with our
 * address: the others may be those of copies of us, or of whoever had our address before. Among equals the oldest, as among peers:
 * they honour it and reject the others.
 */
export function ownAmong(leases: readonly Listed[], terms: LeaseTerms): readonly Listed[] {
  const score = ({ lease }: Listed): number => {
    const trace = terms.traceOf(lease)
    const isOnDevice = lease.node !== undefined && trace === 'device'
    const isFit = leaseFits(lease, terms)
    return (isFit ? 8 : 0) + (trace === 'subnet' ? 4 : 0) + (isOnDevice ? 2 : 0) + (hasOurAddress(lease, terms) ? 1 : 0)
  }
  const own = oldestFirst(leases.filter(({ lease }) => ownershipOf(lease, terms) === 'ours'))
  return own.toSorted((a, b) => score(b) - score(a))
}

/**
 * Leases of other nodes with our PublicIP that must be proven dead before we publish that address: all, while our own lease does not
 * publish it; those older than a lease of ours that may never have been in use; otherwise none. The oldest come first.
 */
export function rivalsAmong(leases: readonly Listed[], own: Listed | undefined, terms: LeaseTerms): readonly Listed[] {
  const rivals = oldestFirst(leases.filter(({ lease }) => ownershipOf(lease, terms) === 'rival'))
  if (own === undefined || !hasOurAddresses(own.lease, terms)) return rivals
  return isOursBeyondDoubt(own.lease, terms) ? [] : rivals.filter((rival) => isOlder(rival, own))
}

/**
 * An older lease of another node that has any address of ours. All nodes honour that one and not ours. It came about between two that
 * asked nobody, such as upstream's agents, or out of a store that was restored.
 */
export function holderBefore(own: Listed, leases: readonly Listed[], terms: LeaseTerms): Listed | undefined {
  const subnets = subnetsOf(own.lease)
  return leases.find(
    (other) =>
      other.lease.families.some(({ subnet }) => subnets.some((one) => prefixesOverlap(one, subnet))) &&
      isOlder(other, own) &&
      ownershipOf(other.lease, terms) !== 'ours',
  )
}

export const subnetsOf = ({ families }: Lease): readonly Prefix[] => families.map(({ subnet }) => subnet)

const oldestFirst = (leases: readonly Listed[]): readonly Listed[] =>
  leases.toSorted((a, b) => Number(a.record.createRevision - b.record.createRevision))

/** Whether the record still stands in a later list, just as it was written. */
export const stands = ({ key, value, createRevision, modRevision }: LeaseRecord, { records }: LeaseList): boolean =>
  records.some(
    (found) =>
      found.key === key &&
      found.createRevision === createRevision &&
      found.modRevision === modRevision &&
      found.value === value,
  )

export const isOlder = (a: Pick<Listed, 'record'>, b: Pick<Listed, 'record'>): boolean =>
  a.record.createRevision < b.record.createRevision

/** What a subnet of ours must keep clear of, besides other subnets and the addresses of peers: the underlay, and our own addresses. */
export const underlayOf = (terms: LeaseTerms): readonly Prefix[] => [
  ...terms.avoid,
  ...[...terms.publicIps.values()].map(hostPrefix),
]

/**
 * Whether the other has certainly published its addresses before there were these subnets. Of a lease that was written again since, as of
 * upstream's every day, it is assumed only between two that do not name their nodes: whoever names its node gives way to nobody who may
 * have said something else before.
 */
const publishedBefore = (other: Listed, one: Listed): boolean => {
  const isUnsigned = other.lease.node === undefined && one.lease.node === undefined
  const { createRevision, modRevision } = other.record
  return (isUnsigned ? createRevision : modRevision) < one.record.createRevision
}

/**
 * What of the underlay a lease's subnets cover, so that it must not be used; undefined: nothing. Nobody can drive out another by publishing
 * an address inside its subnet, not even in an older lease.
 */
function trespass(one: Listed, listing: Listing, terms: LeaseTerms): Prefix | undefined {
  const subnets = subnetsOf(one.lease)
  const published = listing
    .publishedWithin(subnets)
    .filter((other) => publishedBefore(other, one))
    .flatMap(({ lease }) => lease.families.map(({ publicIp }) => hostPrefix(publicIp)))
  return [...underlayOf(terms), ...published].find((avoided) => subnets.some((subnet) => prefixCovers(subnet, avoided)))
}

/** Why a lease cannot be used by us, in words; undefined: it can. */
export function whyUnusable(one: Listed, listing: Listing, terms: LeaseTerms): string | undefined {
  const { overlays } = terms
  if (!leaseFits(one.lease, terms))
    return `it does not fit the network configuration (${overlays.map(described).join('; ')})`
  const covered = trespass(one, listing, terms)
  if (covered !== undefined) return `it covers ${covered.text}, which the underlay needs`
  const holder = holderBefore(one, listing.overlapping(subnetsOf(one.lease)), terms)
  return holder && `lease ${holder.record.key} of ${ownerOf(holder.record)}, which is older, has the same addresses`
}

const described = ({ network, subnetLength, subnetMin, subnetMax }: OverlayNetwork): string =>
  `${network.text} in subnets of /${subnetLength} from ${subnetMin.text} to ${subnetMax.text}`
