import { BestRoutes } from '../../kernel/best-routes.ts'
import type { Kernel, LinkState, RouteState } from '../../kernel/kernel.ts'
import { carriesNothing, type Way } from '../../kernel/underlay.ts'
import type { Family, Ip } from '../../net/ip.ts'
import type { HostAddresses } from './underlay.ts'

/** What every card carries, in octets: taken while no route says which it will be. */
const USUAL_MTU = 1500

/** Peers whose packets leave by the same interfaces, as the main table has it. */
interface Group {
  readonly links: readonly number[]
  readonly sample: Ip
}

const linksOf = ({ linkIndex, furtherHops = [] }: RouteState): readonly number[] =>
  [linkIndex, ...furtherHops.map((hop) => hop.linkIndex)].filter((link) => link !== undefined)

/** Costs one look per peer in the routes that were read, and nothing of the kernel. */
function group(routes: readonly RouteState[], peers: Iterable<Ip>): readonly Group[] {
  const best = new BestRoutes(routes)
  const groups = new Map<string, Group>()
  for (const sample of peers) {
    const route = best.to(sample)
    const links = route === undefined ? [] : linksOf(route)
    const key = links.join(' ')
    if (!groups.has(key)) groups.set(key, { links, sample })
  }
  return [...groups.values()]
}

/**
 * What packets to peers leave by, and the smallest MTU of that. The kernel is asked once for each group of peers that the main table sends
 * over the same interfaces, since rules may send them elsewhere; of several next hops every one counts. Without peers, the default routes say it.
 * @throws {KernelError}
 */
export async function wayToPeers(
  kernel: Pick<Kernel, 'lookup'>,
  { links, routes }: HostAddresses,
  family: Family,
  peers: Iterable<Ip>,
  signal: AbortSignal,
): Promise<Way> {
  const own = routes.filter(({ destination }) => destination.family === family)
  const indexes = new Set<number>()
  for (const { links: expected, sample } of group(own, peers)) {
    const found = (await kernel.lookup(sample, signal))?.linkIndex
    const isAsExpected = found === undefined || expected.includes(found)
    for (const index of isAsExpected ? expected : [found]) indexes.add(index)
  }
  const carriers = carriersOf(links, indexes)
  if (carriers.length > 0) return wayBy(carriers)
  const defaults = own.filter(({ destination }) => destination.length === 0).flatMap(linksOf)
  return wayBy(carriersOf(links, new Set(defaults)))
}

const carriersOf = (links: readonly LinkState[], indexes: ReadonlySet<number>): readonly LinkState[] =>
  links.filter((link) => indexes.has(link.index) && !carriesNothing(link))

const wayBy = (carriers: readonly LinkState[]): Way => ({
  mtu: carriers.length === 0 ? USUAL_MTU : Math.min(...carriers.map(({ mtu }) => mtu)),
  links: carriers,
})
