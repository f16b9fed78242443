import type { Family, Ip } from '../../net/ip.ts'
import { hostPrefix, prefixOf, type Prefix } from '../../net/prefix.ts'
import { Multimap } from './multimap.ts'

/** What somebody occupies. */
export interface Footprint {
  readonly subnets: readonly Prefix[]
  readonly addresses: readonly Ip[]
}

/**
 * Who overlaps whom, among subnets and single addresses; addresses overlap subnets, not each other. Everything is filed under those
 * networks around it that have a prefix length in use, so that a change or a look costs in proportion to the number of different
 * lengths (usually one), never to the number of items. A length that occurs for the first time costs one walk over all items.
 */
export class OverlapIndex<T extends Footprint> {
  readonly #items = new Set<T>()
  /** Who has just this subnet, by its text. */
  readonly #holders = new Multimap<T>()
  /** Who has a narrower subnet or an address in this network, by its text. */
  readonly #insiders = new Multimap<T>()
  /** Every prefix length that a subnet has had. */
  readonly #lengths: Readonly<Record<Family, Set<number>>> = { 4: new Set(), 6: new Set() }

  add(item: T): void {
    for (const subnet of item.subnets) this.#learn(subnet)
    this.#items.add(item)
    for (const { text } of item.subnets) this.#holders.add(text, item)
    for (const network of this.#networksAround(item)) this.#insiders.add(network, item)
  }

  delete(item: T): void {
    if (!this.#items.delete(item)) return
    for (const { text } of item.subnets) this.#holders.delete(text, item)
    for (const network of this.#networksAround(item)) this.#insiders.delete(network, item)
  }

  /** Who overlaps the item, which may be one of them itself; some come twice. */
  *overlapping(item: Footprint): Generator<T, void, undefined> {
    for (const subnet of item.subnets) {
      this.#learn(subnet)
      yield* this.#holders.get(subnet.text)
      yield* this.#insiders.get(subnet.text)
    }
    for (const network of this.#networksAround(item)) yield* this.#holders.get(network)
  }

  /** Networks of the lengths in use that properly contain one of the item's subnets, or contain one of its addresses. */
  *#networksAround({ subnets, addresses }: Footprint): Generator<string, void, undefined> {
    for (const { family, base, length } of subnets)
      for (const wider of this.#lengths[family]) if (wider < length) yield prefixOf(base, wider).text
    for (const address of addresses)
      for (const length of this.#lengths[address.family]) yield prefixOf(address, length).text
  }

  #learn({ family, length }: Prefix): void {
    if (this.#lengths[family].has(length)) return
    this.#lengths[family].add(length)
    for (const item of this.#items)
      for (const inner of [
        ...item.subnets.filter((subnet) => subnet.length > length),
        ...item.addresses.map(hostPrefix),
      ])
        if (inner.family === family) this.#insiders.add(prefixOf(inner.base, length).text, item)
  }
}
