import { prefixContains, prefixesOverlap } from '../../net/prefix.ts'
import { Multimap } from './multimap.ts'
import { OverlapIndex, type Footprint } from './overlap-index.ts'

/** What only one peer at a time may have. */
export interface Claims extends Footprint {
  /** Names nobody else may have, in words for the log, such as `VtepMAC 02:…`. */
  readonly names: readonly string[]
}

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

/** What `a` claims in vain because of `b`, up to the name of `b`. */
export function conflictBetween(a: Claims, b: Claims): string {
  const name = a.names.find((one) => b.names.includes(one))
  if (name !== undefined) return `${name} is held by`
  for (const subnet of a.subnets) {
    const other = b.subnets.find((one) => prefixesOverlap(one, subnet))
    if (other !== undefined) return `subnet ${subnet.text} overlaps ${other.text} of`
    const covered = b.addresses.find((address) => prefixContains(subnet, address))
    if (covered !== undefined) return `subnet ${subnet.text} covers PublicIP ${covered.text} of`
  }
  const inside = a.addresses.find((address) => b.subnets.some((subnet) => prefixContains(subnet, address)))
  return `PublicIP ${inside?.text ?? ''} is within the subnet of`
}
