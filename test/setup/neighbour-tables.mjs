/**
 * How often the kernel had no room for a neighbour of IPv4. All laboratories share its one table (net.ipv4.neigh.default.gc_thresh3, 1 024 by
 * default): while it is full, nobody's address is resolved, and packets are lost in tests that have nothing to do with it.
 */
import { readFileSync } from 'node:fs'

const STATISTICS = '/proc/net/stat/arp_cache'

/** The sum of a column that has one row for each processor, in hexadecimal; @returns undefined where the kernel does not tell */
export function timesFull() {
  try {
    const [header, ...rows] = readFileSync(STATISTICS, 'utf8').trim().split('\n')
    const column = header.split(/\s+/).indexOf('table_fulls')
    return column === -1 ? undefined : rows.reduce((sum, row) => sum + parseInt(row.trim().split(/\s+/)[column], 16), 0)
  } catch {
    return undefined
  }
}

/** Says what has happened since there were so many, if anything. */
export function wordsOfFullTable(before, now = timesFull()) {
  if (before === undefined || now === undefined || now === before) return ''
  return `\nNo room for a neighbour ${now - before} times (net.ipv4.neigh.default.gc_thresh3): packets were lost, whatever failed may have failed for that.\n`
}
