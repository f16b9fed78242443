import type { PlannedRow } from './row.ts'
import type { PlannedTable } from './table.ts'
import type { Steps } from '../time/slices.ts'

/** A link whose tables are known. */
export interface PlannedLink {
  readonly linkIndex: number
  readonly tables: readonly PlannedTable[]
  /** Whether rows that no peer wants may go. */
  readonly prune: boolean
}

/** Rows that are planned in between two steps. */
const AT_ONCE = 64

/**
 * The rows to send, in order: first what is to be written, peer by peer, and within a peer as the tables are given (neighbour, fdb,
 * route), so that a route never stands before what it needs; then what is to be erased, the tables in reverse. Interleaving the
 * tables per peer is also what the kernel takes fastest.
 */
export function* planRows(links: readonly PlannedLink[], nowMs: number): Steps<readonly PlannedRow[]> {
  const writes: PlannedRow[][] = []
  const erasures: PlannedRow[][] = []
  for (const { linkIndex, tables, prune } of links)
    for (const table of tables) {
      const [written, erased]: [PlannedRow[], PlannedRow[]] = [[], []]
      for (const row of table.plan(linkIndex, nowMs, prune)) {
        const rows = row.erases ? erased : written
        if (rows.push(row) % AT_ONCE === 0) yield
      }
      writes.push(written)
      erasures.unshift(erased)
    }
  return [...(yield* byPeer(writes.filter(({ length }) => length > 0))), ...erasures.flat()]
}

/** Brings together what is for one peer, whose first row says where; within a peer the tables stay in their order. */
function* byPeer(tables: readonly (readonly PlannedRow[])[]): Steps<readonly PlannedRow[]> {
  const inStep = yield* interleaved(tables)
  if (inStep !== undefined) return inStep
  const peers = new Map<string, number>()
  const rows = tables.flat()
  const groups = new Uint32Array(rows.length)
  for (const [at, row] of rows.entries()) {
    groups[at] = numberOf(peers, row.owner ?? row.key)
    if (at % AT_ONCE === 0) yield
  }
  return sortByGroup(rows, groups, peers.size)
}

/** Peers that come all at once do so in the same order in all tables. @returns undefined where it is not so, or a table has two rows for one */
function* interleaved([first = [], ...others]: readonly (readonly PlannedRow[])[]): Steps<
  readonly PlannedRow[] | undefined
> {
  if (others.some(({ length }) => length !== first.length)) return undefined
  const peers = new Set<string>()
  const interleavedRows: PlannedRow[] = []
  for (const [at, row] of first.entries()) {
    const { owner } = row
    if (owner === undefined || peers.has(owner)) return undefined
    peers.add(owner)
    interleavedRows.push(row)
    for (const rows of others) {
      const other = rows[at]
      if (other?.owner !== owner) return undefined
      interleavedRows.push(other)
    }
    if (at % AT_ONCE === 0) yield
  }
  return interleavedRows
}

/** Numbers names from 0 in the order in which they are first seen. */
function numberOf(numbers: Map<string, number>, name: string): number {
  const known = numbers.get(name)
  if (known !== undefined) return known
  numbers.set(name, numbers.size)
  return numbers.size - 1
}

/** Brings rows of equal group together, groups by number, order within a group kept: a counting sort, since there may be 10⁵ rows. */
function sortByGroup<T>(rows: readonly T[], groups: Uint32Array, groupCount: number): readonly T[] {
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
