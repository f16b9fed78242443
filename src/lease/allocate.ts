import type { OverlayNetwork } from '../config/network.ts'
import { subnetFits } from '../config/network.ts'
import type { Random } from '../net/clock.ts'
import { prefixesOverlap, prefixOf, subnetAt, subnetIndex, type Prefix } from '../net/prefix.ts'

/** Upstream picks at random among this many free subnets, so that racing nodes seldom want the same. */
const CANDIDATES = 100

/**
 * Chooses a subnet that nobody holds: `preferred` (the previous run's) while it is free and fits, otherwise a random one among the
 * first 100 free ones between SubnetMin and SubnetMax. Cost: one step per taken subnet.
 * @returns undefined when the network is full ("out of subnets")
 */
export function chooseSubnet(
  overlay: OverlayNetwork,
  taken: readonly Prefix[],
  preferred: Prefix | undefined,
  random: Random,
): Prefix | undefined {
  const obstacle = obstacleFinder(overlay, taken)
  if (preferred !== undefined && subnetFits(overlay, preferred) && obstacle(preferred) === undefined) return preferred
  const free = firstFree(overlay, obstacle)
  return free[Math.floor(random() * free.length)]
}

/** Finds a taken subnet that overlaps the one asked for; undefined: it is free. */
type ObstacleFinder = (subnet: Prefix) => Prefix | undefined

/** Subnets of the usual size are looked up; those of another size (left from an earlier configuration) are compared one by one. */
function obstacleFinder(overlay: OverlayNetwork, taken: readonly Prefix[]): ObstacleFinder {
  const sameSize = new Set(taken.filter(({ length }) => length === overlay.subnetLength).map(({ text }) => text))
  const otherSizes = taken.filter(({ length }) => length !== overlay.subnetLength)
  return (subnet) => (sameSize.has(subnet.text) ? subnet : otherSizes.find((other) => prefixesOverlap(other, subnet)))
}

function firstFree(overlay: OverlayNetwork, obstacle: ObstacleFinder): readonly Prefix[] {
  const { network, subnetLength } = overlay
  const indexOf = (address: OverlayNetwork['subnetMin']): bigint =>
    subnetIndex(network, prefixOf(address, subnetLength))
  const free: Prefix[] = []
  const last = indexOf(overlay.subnetMax)
  for (let index = indexOf(overlay.subnetMin); index <= last && free.length < CANDIDATES;) {
    const subnet = subnetAt(network, subnetLength, index)
    const taken = obstacle(subnet)
    if (taken === undefined) free.push(subnet)
    // A larger one is passed in one step: it may cover more subnets than could ever be counted.
    const passed = taken !== undefined && taken.length < subnetLength
    index = passed ? indexOf(taken.base) + (1n << BigInt(subnetLength - taken.length)) : index + 1n
  }
  return free
}
