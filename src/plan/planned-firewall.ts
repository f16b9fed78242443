import type { Firewall, FirewallSpec } from '../kernel/firewall.ts'
import type { FilterState, GuardedOverlay, PeerFilter } from '../kernel/peer-filter.ts'
import type { Ip } from '../net/ip.ts'

/**
 * A firewall that writes nothing, and so finds at each look what it found at the first: what it would have changed then is no sign that
 * others keep changing it.
 */
export function plannedFirewall(firewall: Firewall): Firewall {
  const synced = new Set<FirewallSpec>()
  return {
    sync: async (spec, signal) => {
      const report = await firewall.sync(spec, signal)
      const isFirst = !synced.has(spec)
      synced.add(spec)
      return isFirst ? report : { ...report, changed: [] }
    },
    planRemoval: (signal) => firewall.planRemoval(signal),
    removeAll: (signal) => firewall.removeAll(signal),
  }
}

const NO_DROPS = { packets: 0, forged: 0 }

/** A peer filter that answers as if it had been written. */
export class PlannedPeerFilter implements PeerFilter {
  readonly #filter: PeerFilter
  /** Undefined: it stands as it is. */
  #planned: { readonly peers: ReadonlyMap<string, Ip> | undefined } | undefined

  constructor(filter: PeerFilter) {
    this.#filter = filter
  }

  read(overlay: GuardedOverlay, what: 'rules' | 'all', signal: AbortSignal): Promise<FilterState | undefined> {
    if (this.#planned === undefined) return this.#filter.read(overlay, what, signal)
    const { peers } = this.#planned
    if (peers === undefined) return Promise.resolve(undefined)
    const listed = what === 'all' ? [...peers.values()] : undefined
    return Promise.resolve({ isWhole: true, peers: listed, drops: NO_DROPS, oneWay: undefined })
  }

  async install(overlay: GuardedOverlay, peers: readonly Ip[], signal: AbortSignal): Promise<void> {
    await this.#filter.install(overlay, peers, signal)
    this.#planned = { peers: byText(peers) }
  }

  async change(added: readonly Ip[], removed: readonly Ip[], signal: AbortSignal): Promise<void> {
    await this.#filter.change(added, removed, signal)
    if (this.#planned?.peers === undefined) return
    const gone = byText(removed)
    const left = [...this.#planned.peers.values()].filter(({ text }) => !gone.has(text))
    this.#planned = { peers: byText([...left, ...added]) }
  }

  async remove(signal: AbortSignal): Promise<boolean> {
    if (this.#planned !== undefined) return false
    this.#planned = { peers: undefined }
    return this.#filter.remove(signal)
  }
}

const byText = (addresses: readonly Ip[]): ReadonlyMap<string, Ip> => new Map(addresses.map((one) => [one.text, one]))
