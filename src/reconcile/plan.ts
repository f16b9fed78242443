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
  const peers = new Map<string, number>()
  const writes: PlannedRow[] = []
  const groups: number[] = []
  const erasures: PlannedRow[][] = []
  for (const { linkIndex, tables, prune } of links)
    for (const table of tables) {
      const erased: PlannedRow[] = []
      for (const row of table.plan(linkIndex, nowMs, prune)) {
        if (row.erases) erased.push(row)
        else {
          writes.push(row)
          groups.push(numberOf(peers, row.owner ?? row.key))
        }
      }
      erasures.unshift(erased)
    }
  return [...sortByGroup(writes, groups, peers.size), ...erasures.flat()]
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
