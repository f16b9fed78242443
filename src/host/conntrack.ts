import type { SettingName } from './sysctl.ts'

/** The kernel's table of connections: how many there are, and for how many there is room. */
export interface Conntrack {
  readonly entries: number
  readonly most: number
}

/** At so much of the table, packets of new connections are about to be dropped, or are. */
const ALMOST_FULL = 0.95

/** Pure. */
export const isFull = ({ entries, most }: Conntrack): boolean => most > 0 && entries >= most * ALMOST_FULL

/**
 * What the kernel says of its table (Documentation/networking/nf_conntrack-sysctl.rst); undefined where it has none.
 * @throws the file system's own error
 */
export async function readConntrack({
  readSysctl,
}: {
  readonly readSysctl: (name: SettingName) => Promise<string | undefined>
}): Promise<Conntrack | undefined> {
  const entries = await readSysctl(['net', 'netfilter', 'nf_conntrack_count'])
  const most = await readSysctl(['net', 'netfilter', 'nf_conntrack_max'])
  return entries === undefined || most === undefined ? undefined : { entries: Number(entries), most: Number(most) }
}
