import type { VxlanPacket } from './capture.ts'
import type { LabHost } from './host.ts'
import type { Lab } from './lab.ts'
import type { PingResult } from './ping.ts'
import { waitFor } from './wait-for.ts'

/** What the walkthrough of flannel on CoreOS puts into etcd, on the kernel's own VXLAN port. */
export const DEMO_CONFIG =
  '{"Network":"10.0.0.0/8","SubnetLen":20,"SubnetMin":"10.10.0.0","SubnetMax":"10.99.0.0","Backend":{"Type":"vxlan","VNI":100,"Port":8472}}'
/** The same, with a network of the other family beside it. */
export const DEMO_CONFIG_DUAL = DEMO_CONFIG.replace(
  '"Backend"',
  '"EnableIPv6":true,"IPv6Network":"fd00:10::/48","Backend"',
)
export const DEMO_VNI = 100
export const DEMO_PORT = 8472
export const DEMO_DEVICE = `flannel.${DEMO_VNI}`

export const DEMO_DEVICE6 = `flannel-v6.${DEMO_VNI}`

const PINGS_PER_PAIR = 3
/** Pairs pinged at once. */
const PARALLEL_PAIRS = 8
const CONVERGENCE_DEADLINE_MS = 30_000

/** Whether the host knows every other one in all three tables. */
async function knowsAll(host: LabHost, hostCount: number, ipv6: boolean): Promise<boolean> {
  if (!(await host.subnetFile()) || !(await host.link(DEMO_DEVICE))) return false
  const tables = [await host.peerTables(DEMO_DEVICE), ...(ipv6 ? [await host.peerTables(DEMO_DEVICE6, 6)] : [])]
  return tables
    .flatMap(({ neighbours, fdb, routes }) => [neighbours, fdb, routes])
    .every((table) => table.length === hostCount - 1)
}

/** Starts all agents at once. @param flags in place of the laboratory's @returns milliseconds until the last host's tables were complete */
export async function startAndConverge(lab: Lab, ipv6: boolean, flags?: readonly string[]): Promise<number> {
  const startedAt = performance.now()
  for (const { agent } of lab.hosts)
    if (flags === undefined) agent.start()
    else agent.startWith(flags)
  const convergence = lab.hosts.map((host) =>
    waitFor(`the tables of ${host.name} to be complete`, () => knowsAll(host, lab.hosts.length, ipv6), {
      deadlineMs: CONVERGENCE_DEADLINE_MS,
      everyMs: 50,
    }),
  )
  await Promise.all(convergence)
  return Math.round(performance.now() - startedAt)
}

export interface PairResult extends PingResult {
  readonly from: number
  readonly to: number
}

/** Runs `work` over the items, a few at a time; results in the items' order. */
async function mapLimited<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const queue = items.entries()
  const worker = async (): Promise<void> => {
    for (const [at, item] of queue) results[at] = await work(item)
  }
  await Promise.all(Array.from({ length: limit }, worker))
  return results
}

/** Gives each host its first container. */
export async function addContainers(lab: Lab): Promise<void> {
  await Promise.all(lab.hosts.map((host) => host.addContainer()))
}

/** Pings between every ordered pair of the hosts' first containers. */
export function pingAll(lab: Lab, family: 4 | 6): Promise<readonly PairResult[]> {
  const containers = lab.hosts.flatMap(({ containers: [first] }) => first ?? [])
  const pairs = containers.flatMap((source, from) =>
    containers.map((target, to) => ({ source, target, from, to })).filter(({ to }) => to !== from),
  )
  return mapLimited(pairs, PARALLEL_PAIRS, async ({ source, target, from, to }) => ({
    from,
    to,
    ...(await source.ping((family === 4 ? target.address : target.address6) ?? '', { count: PINGS_PER_PAIR })),
  }))
}

export const total = (pairs: readonly PairResult[]): PingResult => ({
  sent: pairs.reduce((sum, { sent }) => sum + sent, 0),
  received: pairs.reduce((sum, { received }) => sum + received, 0),
})

/** One packet of each kind that passed (who to whom, asking or answering), in the order seen. */
export function distinctPackets(packets: readonly VxlanPacket[]): readonly VxlanPacket[] {
  const byKind = new Map<string, VxlanPacket>()
  for (const packet of packets) {
    const kind = [packet.innerSource, packet.innerDestination, packet.icmpType].join(' ')
    if (!byKind.has(kind)) byKind.set(kind, packet)
  }
  return [...byKind.values()]
}
