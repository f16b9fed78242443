import type { Family, Ip } from '../../net/ip.ts'
import type { Prefix } from '../../net/prefix.ts'

/** What is known of a peer from its lease. */
export interface ProbedPeer {
  /** Where it is on the underlay. */
  readonly publicIp: Ip
  readonly subnet: Prefix
  /** What it calls itself, for people. */
  readonly node: string | undefined
}

/** A peer as it is asked in one family. */
export interface Target {
  /** Of its lease. */
  readonly key: string
  readonly family: Family
  /** That is asked. */
  readonly address: Ip
  readonly peer: ProbedPeer
}

/** Whom the numbers of a {@link Roster} stand for, and who is found by what. Column by column: objects would take three times as much. */
export class Targets {
  readonly #keys: string[] = []
  readonly #addresses: (Ip | undefined)[] = []
  readonly #peers: (ProbedPeer | undefined)[] = []
  readonly #slots: Readonly<Record<Family, Map<string, number>>> = { 4: new Map(), 6: new Map() }
  readonly #byAddress = new Map<string, number>()

  set(slot: number, { key, family, address, peer }: Target): void {
    this.remove(slot)
    this.#keys[slot] = key
    this.#addresses[slot] = address
    this.#peers[slot] = peer
    this.#slots[family].set(key, slot)
    this.#byAddress.set(address.text, slot)
  }

  remove(slot: number): void {
    const before = this.of(slot)
    if (before === undefined) return
    this.#addresses[slot] = undefined
    this.#peers[slot] = undefined
    this.#slots[before.family].delete(before.key)
    if (this.#byAddress.get(before.address.text) === slot) this.#byAddress.delete(before.address.text)
  }

  family(slot: number): Family | undefined {
    return this.#addresses[slot]?.family
  }

  of(slot: number): Target | undefined {
    const [key, address, peer] = [this.#keys[slot], this.#addresses[slot], this.#peers[slot]]
    if (key === undefined || address === undefined || peer === undefined) return undefined
    return { key, family: address.family, address, peer }
  }

  slot(key: string, family: Family): number | undefined {
    return this.#slots[family].get(key)
  }

  slotAt(address: string): number | undefined {
    return this.#byAddress.get(address)
  }
}
