import type { OverlayNetwork } from '../../config/network.ts'
import { subnetFits } from '../../config/network.ts'
import type { Random } from '../../time/clock.ts'
import type { Steps } from '../../time/slices.ts'
import type { Ip } from '../../net/ip.ts'
import { prefixCovers, prefixOf, subnetAt, subnetIndex, type Prefix } from '../../net/prefix.ts'

/** Upstream picks at random among this many free subnets, so that racing nodes seldom want the same. */
const CANDIDATES = 100

/** After each lost race so many times as many: of ten thousand that start at once, each tries three or four times. */
const GROWTH = 8
/** To look for more takes longer than another race. */
const MOST_CANDIDATES = 6_400

/** How many free subnets chance has to choose from. @param attempt from 1 */
export const candidatesAt = (attempt: number): number => Math.min(CANDIDATES * GROWTH ** (attempt - 1), MOST_CANDIDATES)

/** Obstacles, or subnets, that are looked at in between two steps. */
const AT_ONCE = 64

/** Who and what is in the way of a new subnet. */
export interface Obstacles {
  /** Subnets that are leased, of any size. */
  readonly taken: Iterable<Prefix>
  /** Networks and addresses of the underlay. One that holds the whole overlay (10.5.0.0/16 within 10.0.0.0/8) is no obstacle. */
  readonly avoid: readonly Prefix[]
  /** Single addresses that no subnet may hold: those of all peers. Absent: there are none. */
  readonly addresses?: Iterable<Ip>
}

/** What is wanted of a free subnet. */
export interface Wish {
  /** Those that this node had before, the dearest first. */
  readonly preferred: readonly Prefix[]
  /** How many free ones chance has to choose from. */
  readonly candidates?: number
}

/**
 * Chooses a subnet that nobody holds and that overlaps nothing of the underlay: the first that is preferred, fits and is free, otherwise a
 * random one among the first free ones between SubnetMin and SubnetMax. Cost: in proportion to the obstacles.
 * @returns undefined when the network is full ("out of subnets")
 */
export function* choosingSubnet(
  overlay: OverlayNetwork,
  { taken, avoid, addresses = [] }: Obstacles,
  { preferred, candidates = CANDIDATES }: Wish,
  random: Random,
): Steps<Prefix | undefined> {
  const partial = avoid.filter((avoided) => !prefixCovers(avoided, overlay.network))
  const obstacle = yield* findingObstacles(overlay, [taken, partial], addresses)
  const again = preferred.find((subnet) => subnetFits(overlay, subnet) && obstacle(subnet) === undefined)
  if (again !== undefined) return again
  const free = yield* findingFree(overlay, obstacle, candidates)
  return free[Math.floor(random() * free.length)]
}

/** Finds what overlaps the subnet asked for: that subnet itself, or a larger network; undefined: it is free. */
type ObstacleFinder = (subnet: Prefix) => Prefix | undefined

/** Numbers, most of which are small or close to each other. */
class NumberSet {
  readonly #first: number
  /** One bit for each from the first on. */
  readonly #bits: Uint32Array
  readonly #others = new Set<number | string>()

  constructor(first: number, count: number) {
    this.#first = first
    this.#bits = new Uint32Array(Math.ceil(count / 32))
  }

  add(number: number | string): void {
    const at = typeof number === 'number' ? number - this.#first : -1
    if (at >= 0 && at < this.#bits.length * 32) this.#bits[at >>> 5] = (this.#bits[at >>> 5] ?? 0) | (1 << (at & 31))
    else this.#others.add(number)
  }

  has(number: number | string): boolean {
    const at = typeof number === 'number' ? number - this.#first : -1
    if (at >= 0 && at < this.#bits.length * 32) return (((this.#bits[at >>> 5] ?? 0) >>> (at & 31)) & 1) === 1
    return this.#others.has(number)
  }
}

/** Subnets of a network up to this number are kept as bits: 512 KB. */
const MOST_BITS = 2 ** 22

/** What is no larger than a subnet spoils exactly one, which is looked up; larger ones, of which there are few, are compared. */
function* findingObstacles(
  { family, network, subnetLength }: OverlayNetwork,
  obstacles: readonly Iterable<Prefix>[],
  addresses: Iterable<Ip>,
): Steps<ObstacleFinder> {
  const first = numberOf(network.base, subnetLength)
  const spoilt =
    typeof first === 'number'
      ? new NumberSet(first, Math.min(2 ** (subnetLength - network.length), MOST_BITS))
      : new NumberSet(0, 0)
  const large: Prefix[] = []
  let looked = 0
  for (const some of obstacles)
    for (const obstacle of some) {
      if (++looked % AT_ONCE === 0) yield
      if (obstacle.family !== family) continue
      if (obstacle.length < subnetLength) large.push(obstacle)
      else spoilt.add(numberOf(obstacle.base, subnetLength))
    }
  for (const address of addresses) {
    if (++looked % AT_ONCE === 0) yield
    if (address.family === family) spoilt.add(numberOf(address, subnetLength))
  }
  return (subnet) =>
    spoilt.has(numberOf(subnet.base, subnetLength)) ? subnet : large.find((other) => prefixCovers(other, subnet))
}

/** The subnet around an address, so that it is found: without texts for IPv4, as there are tens of thousands. */
const numberOf = (address: Ip, length: number): number | string =>
  address.family === 4 ? address.word0 >>> (32 - length) : prefixOf(address, length).text

function* findingFree(overlay: OverlayNetwork, obstacle: ObstacleFinder, candidates: number): Steps<readonly Prefix[]> {
  const { network, subnetLength } = overlay
  const indexOf = (address: OverlayNetwork['subnetMin']): bigint =>
    subnetIndex(network, prefixOf(address, subnetLength))
  const free: Prefix[] = []
  const last = indexOf(overlay.subnetMax)
  let looked = 0
  for (let index = indexOf(overlay.subnetMin); index <= last && free.length < candidates;) {
    if (++looked % AT_ONCE === 0) yield
    const subnet = subnetAt(network, subnetLength, index)
    const taken = obstacle(subnet)
    if (taken === undefined) free.push(subnet)
    // A larger one is passed in one step: it may cover more subnets than could ever be counted.
    const passed = taken !== undefined && taken.length < subnetLength
    index = passed ? indexOf(taken.base) + (1n << BigInt(subnetLength - taken.length)) : index + 1n
  }
  return free
}

/** The widest subnet that is more than one of the overlay's, in words; undefined: there is none. */
export function widestOf(taken: Iterable<Prefix>, { family, subnetLength }: OverlayNetwork): string | undefined {
  let widest: Prefix | undefined
  for (const subnet of taken)
    if (subnet.family === family && subnet.length < (widest?.length ?? subnetLength)) widest = subnet
  return widest?.text
}
