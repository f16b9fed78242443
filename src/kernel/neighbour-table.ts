import type { Family } from '../net/ip.ts'

/**
 * The kernel's table of neighbours of one address family: one for all interfaces and all network namespaces of a host (struct neigh_table,
 * net/core/neighbour.c).
 */
export interface NeighbourTable {
  readonly family: Family
  /** How often since the start of the host there was no room for an entry, so that the packet that wanted it was dropped (`table_fulls`). */
  readonly overflows: number
  /** For how many entries there is room (`gc_thresh3`). */
  readonly most: number
  /** Whether permanent entries, as those of our device are, take of that room: before Linux 5.0. */
  readonly countsPermanent: boolean
}

/** What the kernel calls a table, in its log and below /proc/net/stat. */
export const tableName = (family: Family): string => (family === 4 ? 'arp_cache' : 'ndisc_cache')

/** What so many entries more than its peers a node is to have room for: the kubelet's default of containers, its gateways, etcd. */
export const OTHER_NEIGHBOURS = 128

/** Less is not worth a second look: it is a few hundred octets for each entry, taken when there is one. */
const FEWEST = 4_096

/**
 * Room for several times what is needed, so that entries of those who are gone need not go before others can come.
 * @param most what there is room for now, which was too little @param peers that may be neighbours
 */
export function enoughNeighbours(most: number, peers: number): number {
  const wanted = Math.max(FEWEST, 2 * most, 4 * (peers + OTHER_NEIGHBOURS))
  return 2 ** Math.ceil(Math.log2(wanted))
}

/** A command that makes room, with its place in words. The lower bounds are those from which on the kernel tidies up. */
export function roomCure(family: Family, most: number, peers: number): string {
  const enough = enoughNeighbours(most, peers)
  const sizes = [enough / 4, enough / 2, enough].map((size, at) => `${settingName(family, at + 1)}=${size}`)
  return `sysctl -w ${sizes.toReversed().join(' ')} on the host itself, and the same in /etc/sysctl.d`
}

/** Which of the three bounds: gc_thresh1, gc_thresh2, gc_thresh3. They are there in the first network namespace alone. */
export const settingName = (family: Family, bound: number): string => `net.ipv${family}.neigh.default.gc_thresh${bound}`
