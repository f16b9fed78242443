import type { PeerDelta } from '../../agent/runtime/subnet-manager.ts'
import type { PeerRecord } from '../../lease/lease.ts'
import type { NodeRecord } from '../nodes/node-store.ts'
import { recordOf } from './node-claims.ts'

/** What a Node claims, as far as it is remembered. */
interface Claimed {
  readonly name: string
  readonly key: string
  readonly value: string
  readonly createdMs: number
}

/**
 * All other Nodes that are peers, by the subnets that they were given. Hears of Nodes as often as somebody writes to them, and tells only of
 * those that say something else. Where several were given the same subnets, the oldest has them, and the others are named.
 */
export class NodeDirectory {
  readonly #own: string
  readonly #nodes = new Map<string, Claimed>()
  /** Names of the Nodes that claim a key. */
  readonly #claimants = new Map<string, readonly string[]>()
  /** What was told of last, by key. */
  readonly #told = new Map<string, Claimed>()
  /** Keys that several claim. */
  readonly #contested = new Set<string>()

  /** @param own the name of our Node, which is no peer */
  constructor(own: string) {
    this.#own = own
  }

  /** A complete list, in the place of all that was known. */
  replace(nodes: readonly NodeRecord[]): void {
    for (const map of [this.#nodes, this.#claimants, this.#told, this.#contested]) map.clear()
    for (const node of nodes) this.put(node)
  }

  /** @returns what has changed with it */
  put(node: NodeRecord): readonly PeerDelta[] {
    if (node.name === this.#own) return []
    const record = recordOf(node)
    const { name, createdMs } = node
    return this.#set(name, record && { name, key: record.key, value: record.value, createdMs })
  }

  /** @returns what has changed with it */
  delete(name: string): readonly PeerDelta[] {
    return this.#set(name, undefined)
  }

  /** What was told of, complete. */
  get records(): readonly PeerRecord[] {
    return [...this.#told.values()].map(recordFor)
  }

  get size(): number {
    return this.#told.size
  }

  /** Nodes that were given what another has, in words; undefined: there are none. @param ownKey the key of our own subnets */
  conflicts(ownKey: string): string | undefined {
    const [key] = this.#contested
    const ours = this.#claimants.get(ownKey)
    if (ours !== undefined) return `Nodes ${this.#own} and ${ours.join(', ')} have the same podCIDR ${ownKey}`
    if (key === undefined) return undefined
    const names = this.#claimants.get(key) ?? []
    const [more, holder] = [this.#contested.size - 1, this.#told.get(key)?.name ?? '']
    const others = more === 0 ? '' : `, and ${more} more podCIDRs are given twice`
    return `Nodes ${names.join(', ')} have the same podCIDR ${key}; ${holder}, the oldest, is a peer${others}`
  }

  #set(name: string, now: Claimed | undefined): readonly PeerDelta[] {
    const before = this.#nodes.get(name)
    if (isSame(before, now)) return []
    if (now === undefined) this.#nodes.delete(name)
    else this.#nodes.set(name, now)
    const deltas: PeerDelta[] = []
    if (before !== undefined && before.key !== now?.key) deltas.push(...this.#leave(before))
    if (now !== undefined) deltas.push(...this.#enter(now))
    return deltas
  }

  #leave({ key, name }: Claimed): readonly PeerDelta[] {
    const left = (this.#claimants.get(key) ?? []).filter((one) => one !== name)
    if (left.length === 0) this.#claimants.delete(key)
    else this.#claimants.set(key, left)
    return this.#settle(key)
  }

  #enter({ key, name }: Claimed): readonly PeerDelta[] {
    const claimants = this.#claimants.get(key) ?? []
    if (!claimants.includes(name)) this.#claimants.set(key, [...claimants, name])
    return this.#settle(key)
  }

  #settle(key: string): readonly PeerDelta[] {
    const all = (this.#claimants.get(key) ?? []).flatMap((name) => this.#nodes.get(name) ?? [])
    if (all.length > 1) this.#contested.add(key)
    else this.#contested.delete(key)
    const [oldest] = all.toSorted((a, b) => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1))
    if (this.#told.get(key) === oldest) return []
    if (oldest === undefined) {
      this.#told.delete(key)
      return [{ kind: 'deleted', key }]
    }
    this.#told.set(key, oldest)
    return [{ kind: 'put', record: recordFor(oldest) }]
  }
}

function recordFor({ key, value, createdMs }: Claimed): PeerRecord {
  const revision = BigInt(createdMs)
  return { key, value, createRevision: revision, modRevision: revision }
}

const isSame = (a: Claimed | undefined, b: Claimed | undefined): boolean =>
  a === undefined || b === undefined ? a === b : a.key === b.key && a.value === b.value && a.createdMs === b.createdMs
