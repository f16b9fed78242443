import type { PeerEntries } from '../../reconcile/entries.ts'
import type { Reconciler } from '../../reconcile/reconciler.ts'
import { directEntries, type DirectReach } from '../../backend/vxlan/direct-reach.ts'

/**
 * DirectRouting, which can be switched at any time: while it is on, decides for each peer whether it needs the tunnel, and again
 * whenever the underlay's routes have changed; while it is off, everybody does.
 */
export class DirectPeers {
  readonly #reconciler: Pick<Reconciler, 'setPeer'>
  /** What peers need through the tunnel. */
  readonly #tunnelled = new Map<string, PeerEntries>()
  /** Who is reached without it. Who is missing has not been decided on. */
  readonly #isDirect = new Map<string, boolean>()
  #isOn: boolean
  /** The underlay as it was looked at since this was switched on: before that, nothing is decided. */
  #reach: DirectReach | undefined

  constructor(reconciler: Pick<Reconciler, 'setPeer'>, isOn: boolean) {
    this.#reconciler = reconciler
    this.#isOn = isOn
  }

  get isOn(): boolean {
    return this.#isOn
  }

  /**
   * Off, every peer has its tunnel again. On, all keep what they have until the next look at the underlay: what was seen of it before
   * is outdated, since nobody has listened to changes of its routes.
   */
  switch(isOn: boolean): void {
    if (this.#isOn === isOn) return
    this.#isOn = isOn
    this.#reach = undefined
    if (!isOn) this.#decideAll()
  }

  setPeer(key: string, entries: PeerEntries | undefined): void {
    this.#isDirect.delete(key)
    if (entries === undefined) {
      this.#tunnelled.delete(key)
      this.#reconciler.setPeer(key, undefined)
      return
    }
    this.#tunnelled.set(key, entries)
    this.#decide(key, entries)
  }

  /** The underlay's routes are these now. */
  follow(reach: DirectReach): void {
    if (!this.#isOn) return
    this.#reach = reach
    this.#decideAll()
  }

  #decideAll(): void {
    for (const [key, entries] of this.#tunnelled) this.#decide(key, entries)
  }

  #decide(key: string, tunnelled: PeerEntries): void {
    if (this.#isOn && this.#reach === undefined) return
    const entries = this.#reach === undefined ? tunnelled : directEntries(tunnelled, this.#reach)
    const isDirect = entries.onUnderlay.length > 0
    if (this.#isDirect.get(key) === isDirect) return
    this.#isDirect.set(key, isDirect)
    this.#reconciler.setPeer(key, entries)
  }
}
