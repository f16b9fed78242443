import type { PlannedRow, PlannedTable } from './table.ts'

/**
 * The rows to send, in order: first what is to be written, peer by peer, and within a peer as the tables are given (neighbour, fdb,
 * route), so that a route never stands before what it needs; then what is to be erased, the tables in reverse. Interleaving the
 * tables per peer is also what the kernel takes fastest.
 */
export function planRows(
  tables: readonly PlannedTable[],
  linkIndex: number,
  nowMs: number,
  prune: boolean,
): readonly PlannedRow[] {
  const writesByPeer = new Map<string, PlannedRow[]>()
  const erasures: PlannedRow[][] = []
  for (const table of tables) {
    const erased: PlannedRow[] = []
    for (const row of table.plan(linkIndex, nowMs, prune)) {
      if (row.erases) erased.push(row)
      else collect(writesByPeer, row.owner ?? row.key, row)
    }
    erasures.unshift(erased)
  }
  return [...writesByPeer.values(), ...erasures].flat()
}

function collect(groups: Map<string, PlannedRow[]>, group: string, row: PlannedRow): void {
  const rows = groups.get(group)
  if (rows === undefined) groups.set(group, [row])
  else rows.push(row)
}
