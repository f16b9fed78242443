import type { Family, Ip } from '../../net/ip.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { Claims } from './claims.ts'
import { mixed as scattered } from '../../columns/grow.ts'
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

  #networkHash(kind: number, { family, word0, word1, word2, word3 }: Ip, length: number): number {
    const hash = mixed(mixed(this.#seed ^ kind, length), masked(word0, length))
    if (family === 4 || length <= 32) return scattered(hash)
    const further = mixed(mixed(hash, masked(word1, length - 32)), masked(word2, length - 64))
    return scattered(mixed(further, masked(word3, length - 96)))
  }
}

/** The first bits of a word. */
function masked(word: number, bits: number): number {
  if (bits >= 32) return word
  return bits <= 0 ? 0 : word & (-1 << (32 - bits))
}

/** One more word, of which each bit has a say in what follows. */
const mixed = (hash: number, word: number): number => scattered(Math.imul(hash, 0x01000193) ^ word)
