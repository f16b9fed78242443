import type { OverlayNetwork } from '../config/network.ts'
import type { GuardedOverlay } from '../kernel/peer-filter.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Underlay } from '../kernel/underlay.ts'
import type { Rejected } from '../lease/rejection.ts'
import type { Lease, LeaseFamily } from '../lease/lease.ts'
import type { Family } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { PeerEntries } from '../reconcile/entries.ts'
import type { DeviceKeeper, DevicePorts } from './device-keeper.ts'
import type { PeerRouter, PeerRouterInput } from './peer-router.ts'

/** A subnet of ours, and the overlay it belongs to. */
export interface OwnSubnet {
  readonly overlay: OverlayNetwork
  readonly subnet: Prefix
}

/** What our lease says of this node in one family, and how this node knows a lease that it has written. */
export interface Publisher {
  /** BackendData of the family; undefined: the lease has none. `current` is the lease that we already hold, if any. */
  readonly publish: (current: Lease | undefined) => unknown
  /** Whether a device on this host is the one that the lease tells peers of. */
  readonly carries: (lease: Lease) => boolean
}

/** What a {@link Publisher} is made of while there is no lease. */
export interface PublisherInput {
  readonly kernel: Pick<Kernel, 'link'>
  /** The same for a node at every start. */
  readonly deriveMac: (vni: number) => Mac
  /** Of the overlay. */
  readonly family: Family
  readonly underlay: Underlay
  /** This is a copy of another machine: a device that is there may have that one's MAC. */
  readonly isCopy: boolean
}

/** A backend with its settings: what of it is known before there is a lease. */
export interface ConfiguredBackend {
  /** BackendType of our leases; empty: they have none. */
  readonly leaseType: string
  /** Whether it changes anything of the host's network. */
  readonly programsKernel: boolean
  /** Name of the device of a family, whether there is one or not; undefined: it has none. */
  readonly deviceName: (family: Family) => string | undefined
  /** What the log says of the settings. */
  readonly logFields: Readonly<Record<string, number>>
  /** UDP port of the packets between nodes; undefined: there are none of its own. */
  readonly port: number | undefined
  /** Whose packets the peer filter looks at; undefined: it has nothing to do. */
  readonly guarded: GuardedOverlay | undefined
  /** Looks at what earlier runs have left on the host, which is to be published again. @throws {KernelError} */
  readonly findPublisher: (input: PublisherInput, signal: AbortSignal) => Promise<Publisher>
  /** The backend of a family in which we hold a subnet. `published` is what our lease says. @throws {ConfigError} when that is not ours */
  readonly begin: (own: OwnSubnet, published: LeaseFamily) => Backend
}

/**
 * One way of connecting nodes, in one address family of a node that holds a lease. Says what is to be, and does nothing: a value and
 * pure functions. Whoever runs it makes the keeper of its device and its router once, and calls them.
 */
export interface Backend extends Publisher {
  /**
   * Values of BackendType in leases of its peers, the first its name; nodes whose leases name another are none of its business. Empty: leases
   * that name none.
   */
  readonly leaseTypes: readonly string[]
  readonly own: OwnSubnet
  /** Where the routes to peers stand; `nowhere`: peers are somebody else's business. */
  readonly routesOn: 'device' | 'underlay' | 'nowhere'
  /** Whether one route to the whole network leads to all of them, instead of one to each. */
  readonly hasOneRoute: boolean
  /** What it takes to reach the peer that holds a lease; undefined: peers are somebody else's business. */
  readonly reach: ((lease: Lease) => PeerEntries | Rejected) | undefined
  /** What only one peer may have, beside its subnet, in words for the log. */
  readonly claimedNames: (entries: PeerEntries) => readonly string[]
  /** What works for it, once for each time that it is run; a device and its router may know each other. */
  readonly makeParts: (input: BackendPartsInput) => BackendParts
}

/** What the parts of a backend are handed. */
export interface BackendPartsInput extends PeerRouterInput {
  readonly ports: DevicePorts
}

/** What of a backend does something. */
export interface BackendParts {
  /** Undefined: no device of ours. */
  readonly device: DeviceKeeper | undefined
  /** Undefined: peers need just what {@link Backend.reach} says, at any time. */
  readonly router: PeerRouter | undefined
}

/** What every backend has that neither publishes anything of its node nor has a device. */
export const WITHOUT_DEVICE = {
  publish: () => undefined,
  carries: () => false,
  claimedNames: () => [],
  hasOneRoute: false,
  makeParts: () => ({ device: undefined, router: undefined }),
} as const satisfies Partial<Backend>

/** A backend without settings, that publishes nothing of its node: all there is to say before there is a lease. */
export const withoutSettings = (
  { leaseType, programsKernel }: Pick<ConfiguredBackend, 'leaseType' | 'programsKernel'>,
  begin: (own: OwnSubnet) => Backend,
): ConfiguredBackend => ({
  leaseType,
  programsKernel,
  deviceName: () => undefined,
  logFields: {},
  port: undefined,
  guarded: undefined,
  findPublisher: () => Promise.resolve(WITHOUT_DEVICE),
  begin,
})
