import type { PeerEntries } from '../reconcile/entries.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'
import { directEntries, type DirectReach } from '../vxlan/direct-reach.ts'

/** DirectRouting: decides for each peer whether it needs the tunnel, and again whenever the underlay's routes have changed. */
export class DirectPeers {
  readonly #reconciler: Pick<Reconciler, 'setPeer'>
  /** What peers need through the tunnel. */
  readonly #tunnelled = new Map<string, PeerEntries>()
  readonly #decided = new Map<string, boolean>()
  /** Before the first look at the underlay, nothing is decided. */
  #reach: DirectReach | undefined

  constructor(reconciler: Pick<Reconciler, 'setPeer'>) {
    this.#reconciler = reconciler
  }

  setPeer(key: string, entries: PeerEntries | undefined): void {
    this.#decided.delete(key)
    if (entries === undefined) {
      this.#tunnelled.delete(key)
      this.#reconciler.setPeer(key, undefined)
      return
    }
    this.#tunnelled.set(key, entries)
    if (this.#reach !== undefined) this.#decide(key, entries, this.#reach)
  }

  /** The underlay's routes are these now. */
  follow(reach: DirectReach): void {
    this.#reach = reach
    for (const [key, entries] of this.#tunnelled) this.#decide(key, entries, reach)
  }

  #decide(key: string, tunnelled: PeerEntries, reach: DirectReach): void {
    const entries = directEntries(tunnelled, reach)
    const isDirect = entries.direct !== undefined
    if (this.#decided.get(key) === isDirect) return
    this.#decided.set(key, isDirect)
    this.#reconciler.setPeer(key, entries)
  }
}
