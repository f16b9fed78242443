import type { BackendConfig } from '../config/backend.ts'
import type { RouteState } from '../kernel/kernel.ts'
import type { PeerTraffic } from '../kernel/tun.ts'
import type { Underlay } from '../kernel/underlay.ts'
import type { PeerEntries } from '../reconcile/entries.ts'
import type { ShownRow } from '../reconcile/shown-row.ts'
import type { ReachablePeer } from './judge.ts'

/** What a router is handed. */
export interface PeerRouterInput {
  /** Has the kernel's tables hold what a key stands for; undefined: nothing. */
  readonly setEntries: (key: string, entries: PeerEntries | undefined) => void
}

/** Decides what each peer needs at the moment, for a backend in which that hangs on more than the peer's lease. */
export interface PeerRouter {
  /** Whether any change of a route may be one that it decides by. */
  readonly wantsOtherRoutes: boolean
  /** How many peers it has been told of and not to give up. */
  readonly peers: number
  /** What a peer needs and is in no table of the kernel's; absent: nothing. */
  rowsOf?(key: string): Iterable<ShownRow>
  /** What each peer was sent and has sent, by key; absent, or undefined: others carry that. */
  traffic?(): ReadonlyMap<string, PeerTraffic> | undefined
  /** Sets, changes or (undefined) gives up a peer. */
  setPeer(key: string, peer: ReachablePeer | undefined): void
  /** The underlay, and the routes of the main table in its family, are these now. */
  follow(underlay: Underlay, routes: readonly RouteState[]): void
  /** What of the configuration a running agent follows has changed. */
  configure(config: BackendConfig): void
}
