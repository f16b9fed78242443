import { sameIp, type Ip } from '../../net/ip.ts'
import { DeltaTracker } from '../../reconcile/tracker/delta-tracker.ts'

/** What has to change about the addresses that are let in. */
export interface AddressChanges {
  readonly added: readonly Ip[]
  readonly removed: readonly Ip[]
}

/**
 * Addresses of the peers, as a packet filter needs them: each once, however many peers have it, and the difference to those that the
 * filter holds. A change costs in proportion to the peers that changed.
 */
export class PeerAddresses {
  readonly #addresses = new Map<string, readonly Ip[]>()
  /** How many peers have the address. */
  readonly #holders = new Map<string, number>()
  readonly #tracker = new DeltaTracker<string, Ip>(sameIp)

  /** How many different ones there should be. */
  get size(): number {
    return this.#tracker.desiredSize
  }

  /** Sets, changes or (undefined) gives up the addresses that one peer sends from. */
  setPeer(peer: string, addresses: readonly Ip[] | undefined): void {
    const before = this.#addresses.get(peer) ?? []
    for (const address of addresses ?? []) this.#hold(address)
    for (const address of before) this.#release(address)
    if (addresses === undefined) this.#addresses.delete(peer)
    else this.#addresses.set(peer, addresses)
  }

  #hold(address: Ip): void {
    const holders = (this.#holders.get(address.text) ?? 0) + 1
    this.#holders.set(address.text, holders)
    if (holders === 1) this.#tracker.setDesired(address.text, address)
  }

  #release({ text }: Ip): void {
    const holders = (this.#holders.get(text) ?? 0) - 1
    if (holders > 0) this.#holders.set(text, holders)
    else {
      this.#holders.delete(text)
      this.#tracker.deleteDesired(text)
    }
  }

  /** Those that should be there and are not. */
  missing(): readonly Ip[] {
    return [...this.#tracker.pending()].flatMap(({ desired }) => desired ?? [])
  }

  /** Those that are there and no longer should be. */
  surplus(): readonly Ip[] {
    return [...this.#tracker.pending()].flatMap(({ desired, actual }) => (desired === undefined ? (actual ?? []) : []))
  }

  /** All that should be there, each once. */
  wanted(): readonly Ip[] {
    const all = new Map<string, Ip>()
    for (const addresses of this.#addresses.values()) for (const address of addresses) all.set(address.text, address)
    return [...all.values()]
  }

  /** The filter has been changed so. */
  changed({ added, removed }: AddressChanges): void {
    for (const address of added) this.#tracker.setActual(address.text, address)
    for (const { text } of removed) this.#tracker.deleteActual(text)
  }

  /**
   * The filter has been read and holds exactly these.
   * @returns how many that were known to be there are missing
   */
  found(addresses: Iterable<Ip>): number {
    return this.#tracker.replaceActual(Array.from(addresses, (address) => [address.text, address] as const)).length
  }
}
