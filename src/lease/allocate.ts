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
  const isFree = freeTest(overlay, taken)
  if (preferred !== undefined && subnetFits(overlay, preferred) && isFree(preferred)) return preferred
  const free = firstFree(overlay, isFree)
  return free[Math.floor(random() * free.length)]
}

/** Subnets of the usual size are looked up; those of another size (left from an earlier configuration) are compared one by one. */
function freeTest(overlay: OverlayNetwork, taken: readonly Prefix[]): (subnet: Prefix) => boolean {
  const sameSize = new Set(taken.filter(({ length }) => length === overlay.subnetLength).map(({ text }) => text))
  const otherSizes = taken.filter(({ length }) => length !== overlay.subnetLength)
  return (subnet) => !sameSize.has(subnet.text) && !otherSizes.some((other) => prefixesOverlap(other, subnet))
}

function firstFree(overlay: OverlayNetwork, isFree: (subnet: Prefix) => boolean): readonly Prefix[] {
  const { network, subnetLength } = overlay
  const indexOf = (address: OverlayNetwork['subnetMin']): bigint =>
    subnetIndex(network, prefixOf(address, subnetLength))
  const free: Prefix[] = []
  const last = indexOf(overlay.subnetMax)
  for (let index = indexOf(overlay.subnetMin); index <= last && free.length < CANDIDATES; index++) {
    const subnet = subnetAt(network, subnetLength, index)
    if (isFree(subnet)) free.push(subnet)
  }
  return free
}
