import type { ReachablePeer } from '../../backend/judge.ts'
import { addressAt, prefixCovers, prefixesOverlap, prefixOf, type Prefix } from '../../net/prefix.ts'
import { addressBits, type Ip } from '../../net/ip.ts'
import { withRoom, words } from '../../columns/grow.ts'
import { IpColumn } from '../../columns/ip-column.ts'
import { KeyNumbers } from '../../columns/key-numbers.ts'
import { Numbering } from '../../columns/numbering.ts'
import { PrefixColumn } from '../../columns/prefix-column.ts'

/** A peer as far as routes to it go. */
export type AskedPeer = Pick<ReachablePeer, 'subnet' | 'publicIp'>

/** Destinations of others' routes that are kept in mind, the latest: beyond that, whoever makes them is heard of by its first. */
const MOST_FOREIGN = 1_000

/**
 * Which peers the kernel is to be asked about, and by which addresses: those that are new, those to which somebody has made a route, all
 * when rules have changed. Costs of a change are in proportion to the peers that it may concern.
 */
export class RouteQuestions {
  readonly #numbers = new KeyNumbers()
  /** By the number of the peer. */
  readonly #keys: string[] = []
  readonly #publicIps = new IpColumn()
  readonly #subnets = new PrefixColumn()
  /** Numbers of subnets, and the peer of each. */
  readonly #known = new Numbering<Prefix>(new PrefixColumn())
  #holders = words(0)
  readonly #lengths = new Set<number>()
  /** Key → when it is to be asked about, on the monotonic clock. */
  readonly #due = new Map<string, number>()
  /** By their text: where routes of others lead, as they were reported, and as the main table was last read. */
  readonly #reported = new Map<string, Prefix>()
  #listed: ReadonlyMap<string, Prefix> = new Map()
  /** By the text of the subnet that they lie in; undefined: to be made anew. */
  #inside: ReadonlyMap<string, readonly Ip[]> | undefined

  get peers(): number {
    return this.#numbers.size
  }

  peer(key: string): AskedPeer | undefined {
    const at = this.#numbers.find(key)
    return at === undefined ? undefined : { subnet: this.#subnets.at(at), publicIp: this.#publicIps.at(at) }
  }

  setPeer(key: string, peer: AskedPeer | undefined, dueMs: number): void {
    const before = this.#numbers.find(key)
    if (before !== undefined) this.#letGo(this.#subnets.at(before))
    this.#due.delete(key)
    if (peer === undefined) {
      this.#numbers.delete(key)
      return
    }
    this.#put(key, peer)
    if (!this.#lengths.has(peer.subnet.length)) this.#inside = undefined
    this.#lengths.add(peer.subnet.length)
    this.#due.set(key, dueMs)
  }

  #put(key: string, { subnet, publicIp }: AskedPeer): void {
    const at = this.#numbers.add(key)
    this.#keys[at] = key
    this.#subnets.set(at, subnet)
    this.#publicIps.set(at, publicIp)
    const held = this.#known.add(subnet)
    this.#holders = withRoom(this.#holders, held, words)
    this.#holders[held] = at
  }

  #letGo(subnet: Prefix): void {
    const held = this.#known.find(subnet)
    if (held >= 0) this.#known.remove(held)
  }

  /** Whose subnet it is. */
  #keyOf(subnet: Prefix): string | undefined {
    const held = this.#known.find(subnet)
    return held < 0 ? undefined : this.#keys[this.#holders[held] ?? 0]
  }

  /** Where peers are on the underlay. */
  *publicIps(): Generator<Ip> {
    for (const [, at] of this.#numbers) yield this.#publicIps.at(at)
  }

  /** Later than it is due already, it is not put off. */
  ask(key: string, dueMs: number): void {
    if (this.#numbers.find(key) !== undefined) this.#due.set(key, Math.min(dueMs, this.#due.get(key) ?? Infinity))
  }

  askAll(dueMs: number): void {
    for (const key of this.#numbers.keys()) this.ask(key, dueMs)
  }

  /** Somebody has made, changed or removed a route to there. */
  report(destination: Prefix, dueMs: number): void {
    if (!this.#reported.has(destination.text)) this.#inside = undefined
    this.#reported.delete(destination.text) // the latest is the last
    this.#reported.set(destination.text, destination)
    const [oldest] = this.#reported.size > MOST_FOREIGN ? this.#reported.keys() : []
    if (oldest !== undefined) this.#reported.delete(oldest)
    this.#askAround(destination, dueMs)
  }

  /** These are all the destinations of others' routes in the main table. */
  list(destinations: readonly Prefix[], dueMs: number): void {
    const before = this.#listed
    this.#inside = undefined
    this.#listed = new Map(destinations.slice(0, MOST_FOREIGN).map((destination) => [destination.text, destination]))
    for (const [text, destination] of this.#listed) if (!before.has(text)) this.#askAround(destination, dueMs)
    for (const [text, destination] of before) if (!this.#listed.has(text)) this.#askAround(destination, dueMs)
  }

  #askAround(destination: Prefix, dueMs: number): void {
    for (const length of this.#lengths) {
      if (length > destination.length) this.askAll(dueMs)
      else {
        const key = this.#keyOf(prefixOf(destination.base, length))
        if (key !== undefined) this.ask(key, dueMs)
      }
    }
  }

  /** Takes so many of those that are due, at most. */
  take(most: number, nowMs: number): readonly string[] {
    const taken: string[] = []
    for (const [key, dueMs] of this.#due) {
      if (taken.length === most) break
      if (dueMs > nowMs) continue
      taken.push(key)
      this.#due.delete(key)
    }
    return taken
  }

  /** When the next is due; undefined: none is. Costs in proportion to those that are. */
  nextMs(): number | undefined {
    return this.#due.size === 0 ? undefined : [...this.#due.values()].reduce((a, b) => Math.min(a, b))
  }

  /**
   * By which addresses to ask about a peer: that of its device, one of its containers', and the first of whatever somebody has a route to
   * inside its subnet.
   */
  addressesOf({ subnet }: AskedPeer): readonly Ip[] {
    this.#inside ??= this.#index()
    const container = subnet.length < addressBits(subnet.family) ? [addressAt(subnet, 1n)] : []
    return [subnet.base, ...container, ...(this.#inside.get(subnet.text) ?? [])]
  }

  #index(): ReadonlyMap<string, readonly Ip[]> {
    const inside = new Map<string, Ip[]>()
    for (const { base, length } of new Map([...this.#listed, ...this.#reported]).values())
      for (const wider of this.#lengths)
        if (wider <= length) {
          const { text } = prefixOf(base, wider)
          inside.set(text, [...(inside.get(text) ?? []), base])
        }
    return inside
  }
}

/** Whether a route to there may concern a peer: it leads into the network, and not to containers of our own. */
export const isAboutPeers = (destination: Prefix, network: Prefix, own: Prefix): boolean =>
  prefixesOverlap(network, destination) && !prefixCovers(own, destination)
