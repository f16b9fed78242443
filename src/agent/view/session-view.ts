import type { OwnSubnet } from '../../backend/backend.ts'
import type { DeviceKeeper } from '../../backend/device-keeper.ts'
import type { EntriesByFamily } from '../../backend/judge.ts'
import type { NetworkConfig } from '../../config/network.ts'
import type { ForwarderCounts, PeerTraffic } from '../../kernel/tun.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { LeaseLife } from '../../lease/lease.ts'
import type { RejectionCode } from '../../lease/rejection.ts'
import type { Lease, PeerRecord } from '../../lease/lease.ts'
import type { Family, Ip } from '../../net/ip.ts'
import type { PendingRow } from '../../reconcile/pending-row.ts'
import type { ShownRow } from '../../reconcile/shown-row.ts'

/*
 * What a session shows of itself to whoever asks for the node's status. It is looked up when it is asked for, and never copied: with
 * nobody who asks, it costs nothing.
 */

export interface SessionView {
  readonly lease: Pick<Lease, 'key' | 'families'>
  readonly how: 'kept' | 'updated' | 'taken over' | 'created'
  /** How long the lease lasts unless it is renewed; undefined: at this moment it is not published. */
  readonly life: LeaseLife | undefined
  /** Addresses that are published in the place of ours, by family. */
  readonly overwrites: ReadonlyMap<Family, Ip>
  /** What is in force. */
  readonly config: NetworkConfig
  /** What stands in the store and cannot be followed, in words. */
  readonly waitsForRestart: readonly string[]
  readonly families: readonly FamilyView[]
  readonly peers: PeersView
  readonly firewall: FirewallView
}

export interface PeersView {
  readonly size: number
  /** Those in force, by key. */
  inForce(): Iterable<readonly [string, EntriesByFamily]>
  entriesOf(key: string): EntriesByFamily | undefined
  /** What stands in the store; undefined: it is too long to be kept, or there is no such key. */
  recordOf(key: string): PeerRecord | undefined
  /** Those that are kept though the store has lost their leases: key → until when, on the monotonic clock. */
  readonly kept: ReadonlyMap<string, number>
  /** Key → why. */
  readonly rejected: ReadonlyMap<string, string>
  /** The code of why. */
  codeOf(key: string): RejectionCode | undefined
}

export interface FamilyView {
  readonly family: Family
  readonly own: OwnSubnet
  readonly underlay: Underlay
  /** Undefined: the backend has none. */
  readonly device: DeviceView | undefined
  /** Of what carries the containers' packets, in octets; undefined: not known yet. */
  readonly mtu: number | undefined
  /** Rows that are not as they should be. */
  readonly pending: number
  pendingRows(): Iterable<PendingRow>
  /** What a peer needs in the kernel, and whether it is there. */
  rowsOf(key: string): Iterable<ShownRow>
  /** What each peer was sent and has sent, by key; undefined: the kernel carries it. Counted anew at each call. */
  traffic(): ReadonlyMap<string, PeerTraffic> | undefined
  /** Name of the backend of a peer whose lease says this, and perhaps nothing, of it. */
  backendOf(leaseType: string): string
  /** Whether packets to a peer take the underlay itself. */
  isDirect(key: string): boolean
}

export interface DeviceView {
  readonly name: string
  /** Undefined: there is none at the moment. */
  readonly index: number | undefined
  /** Undefined: no tunnels end there. */
  readonly endPoint: DeviceKeeper['endPoint']
  /** Undefined: the kernel carries its packets. */
  readonly counts: ForwarderCounts | undefined
}

export interface FirewallView {
  readonly isWanted: boolean
  readonly kind: 'nftables' | 'iptables'
  /** Whether the rules stood at the last look; undefined: nobody has looked. */
  readonly holds: boolean | undefined
  /** On the monotonic clock. */
  readonly lastLookMs: number | undefined
  /** Undefined: it is not wanted. */
  readonly peerFilter: { readonly holds: boolean } | undefined
}
