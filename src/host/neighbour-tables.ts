import { readFile } from 'node:fs/promises'
import { tableName, type NeighbourTable } from '../kernel/neighbour-table.ts'
import type { Family } from '../net/ip.ts'
import { sumOfColumn } from './per-processor.ts'

/** Reads a file of the kernel. Rejects where there is none. */
export type ReadText = (path: string) => Promise<string>

const FAMILIES = [4, 6] as const
/** Before it, permanent entries count among those for which there is room ("neighbor: Improve garbage collection"). */
const EXEMPTS_PERMANENT = 5

/**
 * What the kernel says of its tables of neighbours. Empty outside of the host's first network namespace, where it says nothing, and without
 * the columns and settings that it takes. Never rejects.
 */
export async function readNeighbourTables(
  read: ReadText = (path) => readFile(path, 'latin1'),
): Promise<readonly NeighbourTable[]> {
  const textAt = (path: string): Promise<string> => read(path).catch(() => '')
  const release = Number.parseInt(await textAt('/proc/sys/kernel/osrelease'), 10)
  const countsPermanent = release < EXEMPTS_PERMANENT
  const tables = await Promise.all(FAMILIES.map((family) => tableOf(family, textAt)))
  return tables.flatMap((table) => (table === undefined ? [] : [{ ...table, countsPermanent }]))
}

async function tableOf(family: Family, textAt: ReadText): Promise<Omit<NeighbourTable, 'countsPermanent'> | undefined> {
  const overflows = sumOfColumn(await textAt(`/proc/self/net/stat/${tableName(family)}`), 'table_fulls')
  const most = Number(await textAt(`/proc/sys/net/ipv${family}/neigh/default/gc_thresh3`))
  return overflows === undefined || !(most > 0) ? undefined : { family, overflows, most }
}
