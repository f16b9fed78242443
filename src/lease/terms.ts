import type { OverlayNetwork } from '../config/network.ts'
import { subnetFits } from '../config/network.ts'
import type { Family, Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import { leaseFamily, type Lease, type LeaseClaim, type LeaseFamily, type NodeIdentity } from './lease.ts'

/**
 * What tells that a lease was this host's own: the subnet file names its subnet, or else the device carries its VtepMAC, as it does for
 * every copy of our lease. A copied disk image shows neither for the lease of the machine it was copied from, once that has moved on.
 */
export type Trace = 'subnet' | 'device'

/** On what terms this node wants its lease. */
export interface LeaseTerms {
  readonly node: NodeIdentity
  /** Random, new at every start of the process: tells two machines with one node id apart. */
  readonly instance: string
  readonly overlays: readonly OverlayNetwork[]
  /**
   * Families of the network in which this host has no address at the moment. None is leased in them, but a lease of ours that has them
   * stays as it is: its subnet would be another node's soon. Absent: there are none.
   */
  readonly absentOverlays?: readonly OverlayNetwork[] | undefined
  /** Our underlay address, per family of the overlay. */
  readonly publicIps: ReadonlyMap<Family, Ip>
  /**
   * They were chosen without knowing what our lease says: where it says others, none is acquired, but that is said
   * ({@link OtherAddressError}). Absent: they are to be published, whatever it says.
   */
  readonly isAddressOpen?: true | undefined
  readonly backendType: string
  /** What to publish for a family; `current` is the lease we already hold, if any, whose VtepMAC is worth keeping. */
  readonly backendData: (family: Family, current: Lease | undefined) => unknown
  /** Subnets of the previous run, from the subnet file: taken again when free. */
  readonly previousSubnets: readonly Prefix[]
  /** Subnets that containers on this host may still be in, the likeliest first: taken before a random one, where they are free. */
  readonly hintedSubnets: readonly Prefix[]
  /** What this host still shows of a lease; undefined: nothing. */
  readonly traceOf: (lease: Lease) => Trace | undefined
  /**
   * What must stay reachable over the underlay: etcd, the gateway, our own addresses (as host prefixes) and the underlay's own prefix.
   * No subnet of ours may cover it.
   */
  readonly avoid: readonly Prefix[]
  /** Other networks that this host needs: a new subnet keeps clear of them, one that is held is kept. Absent: none. */
  readonly avoidAnew?: readonly Prefix[]
  /** Life of a new etcd lease, in seconds. */
  readonly ttlSeconds: number
  /**
   * The same under an identity that no copy of this machine shares, as far as its hardware tells: for when another machine with our node
   * id lives. Undefined: there is none, or this is it.
   */
  readonly copy?: LeaseTerms | undefined
  /** The node id that this machine has in common with others; undefined: {@link LeaseTerms.node} is that. */
  readonly sharedId?: string | undefined
}

/**
 * The claim to publish for these subnets. `earlier`: what was given up for them, the newest first. `held`: what says of families in which we
 * have no address what it has said before.
 */
export function claimFor(
  terms: LeaseTerms,
  subnets: readonly Prefix[],
  current: Lease | undefined,
  earlier: readonly Prefix[] = [],
  held: Lease | undefined = current,
): LeaseClaim {
  const partFor = (subnet: Prefix): LeaseFamily => {
    const kept = isAbsent(subnet.family, terms) ? held && leaseFamily(held, subnet.family) : undefined
    if (kept !== undefined) return { ...kept, subnet }
    const { family } = subnet
    return { family, subnet, publicIp: publicIpOf(terms, family), backendData: terms.backendData(family, current) }
  }
  return {
    backendType: terms.backendType,
    families: subnets.map(partFor),
    node: terms.node,
    ...(earlier.length > 0 ? { earlier } : {}),
  }
}

function publicIpOf(terms: LeaseTerms, family: Family): Ip {
  const publicIp = terms.publicIps.get(family)
  if (publicIp === undefined) throw new RangeError(`no public IPv${family} address among the terms`)
  return publicIp
}

const isAbsent = (family: Family, { absentOverlays = [] }: Pick<LeaseTerms, 'absentOverlays'>): boolean =>
  absentOverlays.some((overlay) => overlay.family === family)

/** Whether the lease's subnets are what the configuration now asks for, family by family. */
export const leaseFits = (
  { families }: Lease,
  { overlays, absentOverlays = [] }: Pick<LeaseTerms, 'overlays' | 'absentOverlays'>,
): boolean =>
  overlays.every(({ family }) => families.some((part) => part.family === family)) &&
  families.every(({ family, subnet }) =>
    [...overlays, ...absentOverlays].some((overlay) => overlay.family === family && subnetFits(overlay, subnet)),
  )

/** How a lease in etcd relates to us. */
export type LeaseOwnership =
  /** Ours: it carries our node id, or that which copies of us share and our PublicIP, or no id and our PublicIP (upstream's rule). */
  | 'ours'
  /** It has our PublicIP but another node's id. */
  | 'rival'
  | 'other'

export function ownershipOf(lease: Lease, terms: Pick<LeaseTerms, 'node' | 'publicIps' | 'sharedId'>): LeaseOwnership {
  if (lease.node?.id === terms.node.id) return 'ours'
  if (!hasOurAddress(lease, terms)) return 'other'
  return lease.node === undefined || lease.node.id === terms.sharedId ? 'ours' : 'rival'
}

/**
 * Whether a lease of ours needs no proof: upstream's, for which its PublicIP is all there is, and one that says just who we are and of
 * which this host shows traces, as after an ordinary restart.
 */
export const isOursBeyondDoubt = (
  lease: Lease,
  terms: Pick<LeaseTerms, 'node' | 'publicIps' | 'absentOverlays' | 'traceOf'>,
): boolean =>
  lease.node === undefined ||
  (lease.node.id === terms.node.id &&
    hasOurAddresses(lease, terms) &&
    lease.node.hostname === terms.node.hostname &&
    terms.traceOf(lease) !== undefined)

/** Whether the lease publishes just the addresses we have, family by family. */
export const hasOurAddresses = (lease: Lease, terms: Pick<LeaseTerms, 'publicIps' | 'absentOverlays'>): boolean =>
  lease.families.every(
    ({ family, publicIp }) => terms.publicIps.get(family)?.text === publicIp.text || isAbsent(family, terms),
  )

/** Whether the lease publishes another address than we would, in a family that we have. */
export const saysOthers = (lease: Pick<Lease, 'families'>, { publicIps }: Pick<LeaseTerms, 'publicIps'>): boolean =>
  lease.families.some(({ family, publicIp }) => (publicIps.get(family) ?? publicIp).text !== publicIp.text)

/** Whether the lease has one of our addresses. */
export const hasOurAddress = (lease: Lease, terms: Pick<LeaseTerms, 'publicIps'>): boolean =>
  lease.families.some(({ family, publicIp }) => terms.publicIps.get(family)?.text === publicIp.text)

/** Whether an etcd lease was made for something shorter than a lease of ours; somewhat shorter is the store's own doing. */
export const isShortLived = (ttlSeconds: number, terms: Pick<LeaseTerms, 'ttlSeconds'>): boolean =>
  ttlSeconds * 2 < terms.ttlSeconds
