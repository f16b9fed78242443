import type { Place } from '../lab/namespace.ts'
import { DEVICE, type BenchPeer } from './peers.ts'

/** Output of a command, line by line. */
const linesOf = async (place: Place, command: string, args: readonly string[]): Promise<readonly string[]> =>
  (await place.exec(command, args)).split('\n').filter(Boolean)

/** Rows of the device's three tables, in a few words each, as iproute2 reads them. */
async function rowsIn(place: Place): Promise<readonly string[]> {
  const neighbours = await linesOf(place, 'ip', ['-4', 'neigh', 'show', 'dev', DEVICE, 'nud', 'permanent'])
  const fdb = await linesOf(place, 'bridge', ['fdb', 'show', 'dev', DEVICE])
  const routes = await linesOf(place, 'ip', ['-4', 'route', 'show', 'dev', DEVICE, 'proto', '70'])
  return [
    ...neighbours.map((line) => /^(\S+) lladdr (\S+)/.exec(line)?.slice(1).join(' ') ?? line),
    ...fdb.map((line) => /^(\S+) dst (\S+)/.exec(line)?.slice(1).join(' ') ?? line),
    ...routes.map((line) => /^(\S+) via (\S+)/.exec(line)?.slice(1).join(' ') ?? line),
  ]
}

const rowsOf = ({ base, mac, publicIp }: BenchPeer): readonly string[] => [
  `${base} ${mac}`,
  `${mac} ${publicIp}`,
  `${base}/24 ${base}`,
]

/** In how many rows, and which first, the tables differ from what these peers ask for; undefined: they are exact. */
async function difference(place: Place, peers: readonly BenchPeer[]): Promise<string | undefined> {
  const wanted = new Set(peers.flatMap(rowsOf))
  const there = await rowsIn(place)
  const surplus = there.filter((row) => !wanted.delete(row))
  if (surplus.length + wanted.size === 0) return undefined
  const [missing = 'none'] = wanted
  return `${wanted.size} rows missing (${missing}), ${surplus.length} too many (${surplus[0] ?? 'none'})`
}

/** @throws {Error} when the tables hold anything but what these peers ask for */
export async function expectExact(place: Place, peers: readonly BenchPeer[], when: string): Promise<void> {
  const found = await difference(place, peers)
  if (found !== undefined) throw new Error(`the kernel's tables are not exact ${when}: ${found}`)
}

/** Whether they are exact. */
export const isExact = async (place: Place, peers: readonly BenchPeer[]): Promise<boolean> =>
  (await difference(place, peers)) === undefined

/** How many rows they hold in all. */
export const countRows = async (place: Place): Promise<number> => (await rowsIn(place)).length

/** Empties the three tables, and nothing else. */
export async function flushTables(place: Place): Promise<void> {
  await place.exec('ip', ['-4', 'route', 'flush', 'dev', DEVICE, 'proto', '70'])
  await place.exec('ip', ['-4', 'neigh', 'flush', 'dev', DEVICE, 'nud', 'permanent'])
  await place.exec('bridge', ['fdb', 'flush', 'dev', DEVICE, 'self'])
}

/** Takes the device away, with all that is in its tables: the kernel has one table of neighbours for all hosts, and reads through all of it. */
export async function removeDevice(place: Place): Promise<void> {
  await place.exec('ip', ['link', 'delete', DEVICE])
}
