import type { OverlayNetwork } from '../config/network.ts'
import type { Rejected } from '../lease/codec.ts'
import type { Lease } from '../lease/lease.ts'
import type { Prefix } from '../net/prefix.ts'
import type { PeerEntries } from '../reconcile/entries.ts'

/** A subnet of ours, and the overlay it belongs to. */
export interface OwnSubnet {
  readonly overlay: OverlayNetwork
  readonly subnet: Prefix
}

/**
 * One way of connecting nodes, in one address family of a node that holds a lease. Says what is to be, and does nothing: a value and
 * pure functions. `Device` describes a device of ours.
 */
export interface Backend<Device> {
  /** BackendType of its leases; those of another type are none of its business. */
  readonly type: string
  readonly own: OwnSubnet
  /** The device that peers are reached through; undefined: there is none of ours. */
  readonly device: Device | undefined
  /** What it takes to reach the peer that holds a lease; undefined: peers are somebody else's business. */
  readonly reach: ((lease: Lease) => PeerEntries | Rejected) | undefined
  /** What only one peer may have, beside its subnet, in words for the log. */
  readonly claimedNames: (entries: PeerEntries) => readonly string[]
}
