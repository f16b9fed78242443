import type { PlannedRow } from './row.ts'
import type { PlannedTable } from './table.ts'

/** A link whose tables are known. */
export interface PlannedLink {
  readonly linkIndex: number
  readonly tables: readonly PlannedTable[]
  /** Whether rows that no peer wants may go. */
  readonly prune: boolean
}

/**
 * The rows to send, in order: first what is to be written, peer by peer, and within a peer as the tables are given (neighbour, fdb,
 * route), so that a route never stands before what it needs; then what is to be erased, the tables in reverse. Interleaving the
 * tables per peer is also what the kernel takes fastest.
 */
export function planRows(links: readonly PlannedLink[], nowMs: number): readonly PlannedRow[] {
  const writes: PlannedRow[][] = []
  const erasures: PlannedRow[][] = []
  for (const { linkIndex, tables, prune } of links)
    for (const table of tables) {
      const [written, erased]: [PlannedRow[], PlannedRow[]] = [[], []]
      for (const row of table.plan(linkIndex, nowMs, prune)) (row.erases ? erased : written).push(row)
      writes.push(written)
      erasures.unshift(erased)
    }
  return [...byPeer(writes.filter(({ length }) => length > 0)), ...erasures.flat()]
}

/** Brings together what is for one peer, whose first row says where; within a peer the tables stay in their order. */
function byPeer(tables: readonly (readonly PlannedRow[])[]): readonly PlannedRow[] {
  const [first = [], ...others] = tables
  const isInStep = others.every(
    (rows) => rows.length === first.length && rows.every(({ owner }, at) => owner === first[at]?.owner),
  )
  // peers that come all at once do so in the same order in all tables
  if (isInStep && areOneEach(first))
    return first.flatMap((row, at) => [row, ...others.flatMap((rows) => rows[at] ?? [])])
  const peers = new Map<string, number>()
  const rows = tables.flat()
  const groups = rows.map((row) => numberOf(peers, row.owner ?? row.key))
  return sortByGroup(rows, groups, peers.size)
}

/** Whether no two of these rows are for one peer. */
function areOneEach(rows: readonly PlannedRow[]): boolean {
  const peers = new Set<string>()
  for (const { owner } of rows) if (owner !== undefined) peers.add(owner)
  return peers.size === rows.length
}

/** Numbers names from 0 in the order in which they are first seen. */
function numberOf(numbers: Map<string, number>, name: string): number {
  const known = numbers.get(name)
  if (known !== undefined) return known
  numbers.set(name, numbers.size)
  return numbers.size - 1
}

/** Brings rows of equal group together, groups by number, order within a group kept: a counting sort, since there may be 10⁵ rows. */
function sortByGroup<T>(rows: readonly T[], groups: readonly number[], groupCount: number): readonly T[] {
  const nextPlace = new Uint32Array(groupCount + 1)
  for (const group of groups) nextPlace[group + 1] = (nextPlace[group + 1] ?? 0) + 1
  for (let group = 1; group <= groupCount; group++)
    nextPlace[group] = (nextPlace[group] ?? 0) + (nextPlace[group - 1] ?? 0)
  const sorted = rows.slice()
  rows.forEach((row, at) => {
    const group = groups[at] ?? 0
    const place = nextPlace[group] ?? 0
    nextPlace[group] = place + 1
    sorted[place] = row
  })
  return sorted
}
