import type { Family, Ip } from '../../net/ip.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { Claims } from './claims.ts'
import { HashChains } from '../packed/hash-chains.ts'

/** What a hash stands for. */
const [NAME, HOLDER, INSIDER] = [0x6e616d65, 0x686f6c64, 0x696e7369]

/** Those that stand in it, each with what it claims: it is asked for them when a prefix length occurs for the first time. */
export type Members = () => Iterable<readonly [slot: number, claims: Claims]>

/**
 * Who may claim what somebody else claims too, by hashes of what each claims: the same name, overlapping subnets, an address within the
 * other's subnet. Everything is filed under those networks around it that have a prefix length in use, so that a change or a look costs in
 * proportion to the number of different lengths (usually one), never to the number of members. Two things can have one hash: who is found
 * may be in conflict, who is not found is in none.
 */
export class ClaimHashes {
  readonly #members: Members
  readonly #seed: number
  readonly #chains = new HashChains()
  /** Every prefix length that a subnet has had. */
  readonly #lengths: Readonly<Record<Family, number[]>> = { 4: [], 6: [] }

  /** @param seed 32 bits of chance: nobody can write leases that have one hash */
  constructor(members: Members, seed: number) {
    this.#members = members
    this.#seed = seed
  }

  add(slot: number, claims: Claims): void {
    this.#learn(claims.subnets)
    const { subnets, addresses, names } = claims
    for (const name of names) this.#chains.add(slot, this.#nameHash(name))
    for (const { base, length } of subnets) {
      this.#chains.add(slot, this.#networkHash(HOLDER, base, length))
      for (const wider of this.#lengths[base.family])
        if (wider < length) this.#chains.add(slot, this.#networkHash(INSIDER, base, wider))
    }
    for (const address of addresses)
      for (const length of this.#lengths[address.family])
        this.#chains.add(slot, this.#networkHash(INSIDER, address, length))
  }

  delete(slot: number): void {
    this.#chains.delete(slot)
  }

  /** Whether one of those that may be in conflict with it is what is looked for; some are asked about twice, it may be itself one of them. */
  some({ names, subnets, addresses }: Claims, isIt: (slot: number) => boolean): boolean {
    this.#learn(subnets)
    for (const name of names) if (this.#chains.some(this.#nameHash(name), isIt)) return true
    for (const { base, length } of subnets) {
      if (this.#chains.some(this.#networkHash(HOLDER, base, length), isIt)) return true
      if (this.#chains.some(this.#networkHash(INSIDER, base, length), isIt)) return true
      for (const wider of this.#lengths[base.family])
        if (wider < length && this.#chains.some(this.#networkHash(HOLDER, base, wider), isIt)) return true
    }
    for (const address of addresses)
      for (const length of this.#lengths[address.family])
        if (this.#chains.some(this.#networkHash(HOLDER, address, length), isIt)) return true
    return false
  }

  #learn(subnets: readonly Prefix[]): void {
    for (const { family, length } of subnets) {
      if (this.#lengths[family].includes(length)) continue
      this.#lengths[family].push(length)
      for (const [slot, claims] of this.#members()) this.#fileWithin(slot, claims, family, length)
    }
  }

  /** Files what lies within networks of a length that was not in use before. */
  #fileWithin(slot: number, { subnets, addresses }: Claims, family: Family, length: number): void {
    for (const subnet of subnets)
      if (subnet.family === family && subnet.length > length)
        this.#chains.add(slot, this.#networkHash(INSIDER, subnet.base, length))
    for (const address of addresses)
      if (address.family === family) this.#chains.add(slot, this.#networkHash(INSIDER, address, length))
  }

  #nameHash(name: string): number {
    let hash = this.#seed ^ NAME
    for (let at = 0; at < name.length; at++) hash = mixed(hash, name.charCodeAt(at))
    return scattered(hash)
  }

  #networkHash(kind: number, { bytes }: Ip, length: number): number {
    let hash = mixed(this.#seed ^ kind, length)
    for (let at = 0; at * 8 < length; at++) {
      const left = length - at * 8
      const octet = bytes[at] ?? 0
      hash = mixed(hash, left >= 8 ? octet : octet & (0xff << (8 - left)))
    }
    return scattered(hash)
  }
}

/** FNV-1a (RFC 9923). */
const mixed = (hash: number, unit: number): number => Math.imul(hash ^ unit, 0x01000193)

/** Each bit has a say in all others: the last ones choose the chain. */
function scattered(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return half ^ (half >>> 13)
}
