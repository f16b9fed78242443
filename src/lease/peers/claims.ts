import { prefixContains, prefixesOverlap } from '../../net/prefix.ts'
import { Multimap } from './multimap.ts'
import { OverlapIndex, type Footprint } from './overlap-index.ts'

/** What only one peer at a time may have. */
export interface Claims extends Footprint {
  /** Names nobody else may have, in words for the log, such as `VtepMAC 02:…`. */
  readonly names: readonly string[]
}

/** A thing that is claimed: a name, an address by its text, or {@link SUBNETS}. */
export type Thing = string

/** All subnets of a lease are one thing: the key names them, and so they are as old as the key. */
export const SUBNETS: Thing = 'subnets'

/** Whether they claim it. */
export const areClaiming = ({ names, addresses }: Claims, thing: Thing): boolean =>
  names.includes(thing) || addresses.some(({ text }) => text === thing)

/** Who claims what somebody else claims too: the same name, overlapping subnets, an address within the other's subnet. */
export class ClaimIndex<T extends Claims> {
  readonly #byName = new Multimap<T>()
  readonly #bySubnet = new OverlapIndex<T>()

  add(claimant: T): void {
    for (const name of claimant.names) this.#byName.add(name, claimant)
    this.#bySubnet.add(claimant)
  }

  delete(claimant: T): void {
    for (const name of claimant.names) this.#byName.delete(name, claimant)
    this.#bySubnet.delete(claimant)
  }

  /** Who is in conflict with it, which may be one of them itself; some come twice. */
  *conflicting(claimant: Claims): Generator<T, void, undefined> {
    for (const name of claimant.names) yield* this.#byName.get(name)
    yield* this.#bySubnet.overlapping(claimant)
  }
}

/** What one claims in vain if the other has its own. */
export interface Dispute {
  readonly mine: Thing
  readonly theirs: Thing
  /** Up to the name of the other. */
  readonly words: string
}

/** Whether there is something that only one of them can have. */
export const areInConflict = (a: Claims, b: Claims): boolean => disputesBetween(a, b).length > 0

/** All that two are in conflict about. */
export function disputesBetween(a: Claims, b: Claims): readonly Dispute[] {
  const found: Dispute[] = []
  for (const name of a.names)
    if (b.names.includes(name)) found.push({ mine: name, theirs: name, words: `${name} is held by` })
  for (const subnet of a.subnets) {
    for (const other of b.subnets)
      if (prefixesOverlap(other, subnet))
        found.push({ mine: SUBNETS, theirs: SUBNETS, words: `subnet ${subnet.text} overlaps ${other.text} of` })
    for (const address of b.addresses)
      if (prefixContains(subnet, address))
        found.push({
          mine: SUBNETS,
          theirs: address.text,
          words: `subnet ${subnet.text} covers PublicIP ${address.text} of`,
        })
  }
  for (const address of a.addresses)
    if (b.subnets.some((subnet) => prefixContains(subnet, address)))
      found.push({ mine: address.text, theirs: SUBNETS, words: `PublicIP ${address.text} is within the subnet of` })
  return found
}
