import { withRoom, words } from '../../columns/grow.ts'
import { IpColumn } from '../../columns/ip-column.ts'
import { Numbering } from '../../columns/numbering.ts'
import { PrefixColumn } from '../../columns/prefix-column.ts'
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

/** Whom the numbers of a {@link Roster} stand for, and who is found by what, in columns. */
export class Targets {
  /** Undefined: there is none of this number. */
  readonly #keys: (string | undefined)[] = []
  readonly #addresses = new IpColumn()
  readonly #publicIps = new IpColumn()
  readonly #subnets = new PrefixColumn()
  /** Of those that say it. */
  readonly #nodes = new Map<number, string>()
  readonly #slots: Readonly<Record<Family, Map<string, number>>> = { 4: new Map(), 6: new Map() }
  /** Numbers of addresses, and who has each. */
  readonly #known = new Numbering<Ip>(new IpColumn())
  #holders = words(0)

  set(slot: number, { key, family, address, peer }: Target): void {
    this.remove(slot)
    this.#keys[slot] = key
    this.#addresses.set(slot, address)
    this.#publicIps.set(slot, peer.publicIp)
    this.#subnets.set(slot, peer.subnet)
    if (peer.node !== undefined) this.#nodes.set(slot, peer.node)
    this.#slots[family].set(key, slot)
    const known = this.#known.add(address)
    this.#holders = withRoom(this.#holders, known, words)
    this.#holders[known] = slot
  }

  remove(slot: number): void {
    const key = this.#keys[slot]
    if (key === undefined) return
    const address = this.#addresses.at(slot)
    this.#keys[slot] = undefined
    this.#nodes.delete(slot)
    this.#slots[address.family].delete(key)
    if (this.slotAt(address) === slot) this.#known.remove(this.#known.find(address))
  }

  family(slot: number): Family | undefined {
    return this.#keys[slot] === undefined ? undefined : this.#addresses.familyAt(slot)
  }

  /** That is asked; undefined: there is none of this number. */
  address(slot: number): Ip | undefined {
    return this.#keys[slot] === undefined ? undefined : this.#addresses.at(slot)
  }

  of(slot: number): Target | undefined {
    const key = this.#keys[slot]
    if (key === undefined) return undefined
    const address = this.#addresses.at(slot)
    const peer = { publicIp: this.#publicIps.at(slot), subnet: this.#subnets.at(slot), node: this.#nodes.get(slot) }
    return { key, family: address.family, address, peer }
  }

  slot(key: string, family: Family): number | undefined {
    return this.#slots[family].get(key)
  }

  slotAt(address: Ip): number | undefined {
    const known = this.#known.find(address)
    return known < 0 ? undefined : this.#holders[known]
  }
}
