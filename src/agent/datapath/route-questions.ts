import type { ReachablePeer } from '../../backend/judge.ts'
import { addressAt, prefixCovers, prefixesOverlap, prefixOf, type Prefix } from '../../net/prefix.ts'
import { addressBits, type Ip } from '../../net/ip.ts'

/** A peer as far as routes to it go. */
export type AskedPeer = Pick<ReachablePeer, 'subnet' | 'publicIp'>

/** Destinations of others' routes that are kept in mind, the latest: beyond that, whoever makes them is heard of by its first. */
const MOST_FOREIGN = 1_000

/**
 * Which peers the kernel is to be asked about, and by which addresses: those that are new, those to which somebody has made a route, all
 * when rules have changed. Costs of a change are in proportion to the peers that it may concern.
 */
export class RouteQuestions {
  readonly #peers = new Map<string, AskedPeer>()
  /** Key of the peer by the text of its subnet. */
  readonly #bySubnet = new Map<string, string>()
  readonly #lengths = new Set<number>()
  /** Key → when it is to be asked about, on the monotonic clock. */
  readonly #due = new Map<string, number>()
  /** By their text: where routes of others lead, as they were reported, and as the main table was last read. */
  readonly #reported = new Map<string, Prefix>()
  #listed: ReadonlyMap<string, Prefix> = new Map()
  /** By the text of the subnet that they lie in; undefined: to be made anew. */
  #inside: ReadonlyMap<string, readonly Ip[]> | undefined

  get peers(): number {
    return this.#peers.size
  }

  peer(key: string): AskedPeer | undefined {
    return this.#peers.get(key)
  }

  setPeer(key: string, peer: AskedPeer | undefined, dueMs: number): void {
    const before = this.#peers.get(key)
    if (before !== undefined) this.#bySubnet.delete(before.subnet.text)
    this.#due.delete(key)
    if (peer === undefined) {
      this.#peers.delete(key)
      return
    }
    this.#peers.set(key, { subnet: peer.subnet, publicIp: peer.publicIp })
    this.#bySubnet.set(peer.subnet.text, key)
    if (!this.#lengths.has(peer.subnet.length)) this.#inside = undefined
    this.#lengths.add(peer.subnet.length)
    this.#due.set(key, dueMs)
  }

  /** Later than it is due already, it is not put off. */
  ask(key: string, dueMs: number): void {
    if (this.#peers.has(key)) this.#due.set(key, Math.min(dueMs, this.#due.get(key) ?? Infinity))
  }

  askAll(dueMs: number): void {
    for (const key of this.#peers.keys()) this.ask(key, dueMs)
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
        const key = this.#bySubnet.get(prefixOf(destination.base, length).text)
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
