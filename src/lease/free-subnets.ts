import type { OverlayNetwork } from '../config/network.ts'
import type { Family } from '../net/ip.ts'
import { prefixesOverlap, prefixOf, subnetIndex, type Prefix } from '../net/prefix.ts'
import { parseLeaseKey } from './codec.ts'

/** What is left of one address family. */
export interface FreeSubnets {
  readonly family: Family
  readonly network: string
  readonly subnetLength: number
  readonly first: string
  readonly last: string
  /** Between the first and the last. Texts: an IPv6 network can have more than a number can count. */
  readonly total: string
  readonly taken: string
  readonly free: string
}

/** Those whose subnets nobody else is given. */
export interface KnownLeases {
  /** By key, and by family. */
  inForce(): Iterable<readonly [string, ReadonlyMap<Family, { readonly subnet: Prefix }>]>
  /** By key. */
  readonly rejected: ReadonlyMap<string, unknown>
}

/** Ours, those of peers, and those of leases that are rejected: nobody else is given one of them. Keys that name no subnet take none. */
export function* takenSubnets(own: Iterable<Prefix>, peers: KnownLeases): Generator<Prefix> {
  yield* own
  for (const [, families] of peers.inForce()) for (const { subnet } of families.values()) yield subnet
  for (const key of peers.rejected.keys()) yield* parseLeaseKey(key) ?? []
}

/** How many are handed out, at most. */
export function subnetCount({ network, subnetLength, subnetMin, subnetMax }: OverlayNetwork): bigint {
  return (
    subnetIndex(network, prefixOf(subnetMax, subnetLength)) -
    subnetIndex(network, prefixOf(subnetMin, subnetLength)) +
    1n
  )
}

/** Where fewer than one in so many is free, further hosts may soon find none: doctor and the alert rules have the same bound. */
const SCARCE_SHARE = 20n

/** @param held leases that there are @param total room for so many */
export const isScarce = (held: bigint, total: bigint): boolean => (total - held) * SCARCE_SHARE < total

/** Cost: n log n, however large the network is. */
export function freeSubnets(overlay: OverlayNetwork, taken: readonly Prefix[]): FreeSubnets {
  const { family, network, subnetLength, subnetMin, subnetMax } = overlay
  const first = subnetIndex(network, prefixOf(subnetMin, subnetLength))
  const last = subnetIndex(network, prefixOf(subnetMax, subnetLength))
  const ranges = taken
    .filter((subnet) => prefixesOverlap(network, subnet))
    .map((subnet) => rangeOf(network, subnetLength, subnet))
    .sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))
  let [count, next] = [0n, first]
  for (const { from, to } of ranges) {
    const begin = from > next ? from : next
    const end = to < last ? to : last
    if (begin > end) continue
    count += end - begin + 1n
    next = end + 1n
  }
  const total = last - first + 1n
  return {
    ...{ family, subnetLength, network: network.text, first: subnetMin.text, last: subnetMax.text },
    ...{ total: String(total), taken: String(count), free: String(total - count) },
  }
}

/** The subnets of the overlay, by number, that a network spoils. */
function rangeOf(network: Prefix, length: number, { base, length: own }: Prefix): { from: bigint; to: bigint } {
  const from = subnetIndex(network, prefixOf(base, length))
  return { from, to: own >= length ? from : from + (1n << BigInt(length - own)) - 1n }
}
