import type { FdbEntry, NeighbourEntry, RouteEntry } from './tracker/rows.ts'

export type { FdbEntry, NeighbourEntry, RouteAlteration, RouteEntry } from './tracker/rows.ts'

/** What one peer needs in the tables of one link. */
export interface LinkRows {
  readonly neighbours: readonly NeighbourEntry[]
  readonly fdb: readonly FdbEntry[]
  readonly routes: readonly RouteEntry[]
}

export const NO_ROWS: LinkRows = { neighbours: [], fdb: [], routes: [] }

/** Everything the kernel needs to reach one peer. */
export interface PeerEntries {
  /** On our device, for a peer that is reached through it. */
  readonly onDevice: LinkRows
  /** On the underlay's link, for a peer that is reached without a tunnel: there, nothing but plain routes is ever ours. */
  readonly onUnderlay: readonly RouteEntry[]
}

export const NO_ENTRIES: PeerEntries = { onDevice: NO_ROWS, onUnderlay: [] }
