import type { BackendConfig } from '../../config/backend.ts'
import type { RouteState } from '../../kernel/kernel.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { PeerEntries } from '../../reconcile/entries.ts'
import { PeerColumns } from '../../reconcile/peer-columns.ts'
import type { PeerRouter, PeerRouterInput } from '../peer-router.ts'
import { vxlanSettings } from './device-spec.ts'
import { directEntries, DirectReach } from './direct-reach.ts'

export interface DirectPeersInput extends PeerRouterInput {
  readonly isOn: boolean
}

/**
 * DirectRouting, which can be switched at any time: while it is on, decides for each peer whether it needs the tunnel, and again
 * whenever the underlay's routes have changed; while it is off, everybody does.
 */
export class DirectPeers implements PeerRouter {
  readonly #setEntries: PeerRouterInput['setEntries']
  /** What peers need through the tunnel. */
  readonly #tunnelled = new PeerColumns()
  /** Who is reached without it. */
  readonly #direct = new Set<string>()
  /** Who has not been decided on. */
  readonly #undecided = new Set<string>()
  #isOn: boolean
  /** The underlay as it was looked at since this was switched on: before that, nothing is decided. */
  #reach: DirectReach | undefined

  constructor({ setEntries, isOn }: DirectPeersInput) {
    this.#setEntries = setEntries
    this.#isOn = isOn
  }

  get wantsOtherRoutes(): boolean {
    return this.#isOn
  }

  get peers(): number {
    return this.#tunnelled.size
  }

  /**
   * Off, every peer has its tunnel again. On, all keep what they have until the next look at the underlay: what was seen of it before
   * is outdated, since nobody has listened to changes of its routes.
   */
  configure(config: BackendConfig): void {
    const { directRouting: isOn } = vxlanSettings(config)
    if (this.#isOn === isOn) return
    this.#isOn = isOn
    this.#reach = undefined
    if (!isOn) this.#decideAll()
  }

  setPeer(key: string, entries: PeerEntries | undefined): void {
    if (entries === undefined) {
      this.#tunnelled.delete(key)
      this.#undecided.delete(key)
      this.#direct.delete(key)
      this.#setEntries(key, undefined)
      return
    }
    this.#tunnelled.set(key, entries)
    this.#undecided.add(key)
    this.#decide(key, entries)
  }

  follow({ link }: Underlay, routes: readonly RouteState[]): void {
    if (!this.#isOn) return
    this.#reach = new DirectReach(routes, link.index)
    this.#decideAll()
  }

  #decideAll(): void {
    for (const [key, entries] of this.#tunnelled) this.#decide(key, entries)
  }

  #decide(key: string, tunnelled: PeerEntries): void {
    if (this.#isOn && this.#reach === undefined) return
    const entries = this.#reach === undefined ? tunnelled : directEntries(tunnelled, this.#reach)
    const isDirect = entries.onUnderlay.length > 0
    if (!this.#undecided.delete(key) && this.#direct.has(key) === isDirect) return
    if (isDirect) this.#direct.add(key)
    else this.#direct.delete(key)
    this.#setEntries(key, entries)
  }
}
