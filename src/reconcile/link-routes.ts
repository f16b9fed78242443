import type { Random } from '../time/clock.ts'
import type { RouteEntry } from './entries.ts'
import type { RouteState } from '../kernel/kernel.ts'
import { Table } from './table.ts'
import { routesOn, routesReplacedBy } from './ownership.ts'
import type { RouteKey } from './tracker/row-cells.ts'
import { routeRules } from './table-rules.ts'

/** What of a link's tables is ours. */
export interface RouteOwnership {
  /** Neighbours and fdb entries are somebody else's business. */
  readonly routesOnly: boolean
  /** Whether a route of the main table on the link is ours, though no peer wants it. */
  isOwnRoute(row: RouteEntry): boolean
}

/** The routes that peers want on one link, and those of ours that stand there. */
export class LinkRoutes {
  readonly table: Table<RouteEntry, RouteKey>
  ownership: RouteOwnership
  /** Of a link that is not ours: the route wanted to each destination. */
  readonly #wantedTo = new Map<string, RouteEntry>()

  constructor(ownership: RouteOwnership, random: Random) {
    this.ownership = ownership
    this.table = new Table(routeRules, random)
  }

  /** Replaces the routes that a peer wants here by others; either may be none. */
  change(peer: string, before: readonly RouteEntry[], after: readonly RouteEntry[]): void {
    this.table.change(peer, before, after)
    if (!this.ownership.routesOnly) return
    for (const row of before) this.#wantedTo.delete(row.destination.text)
    for (const row of after) this.#wantedTo.set(row.destination.text, row)
  }

  /** What of a route is ours on the link. Next hops beside a wanted one go when the route is written as it should be. */
  ownRows(route: RouteState, link: number): readonly RouteEntry[] {
    const onLink = routesOn(route, link)
    const ours = onLink.every((row) => this.#isOwn(row)) ? onLink : onLink.filter((row) => this.#isOwn(row))
    if (ours.length < 2) return ours
    const wanted = ours.filter((row) => this.isWanted(row))
    return wanted.length > 0 ? wanted : ours
  }

  #isOwn(row: RouteEntry): boolean {
    return this.ownership.isOwnRoute(row) || this.isWanted(row)
  }

  *allOwnRows(routes: Iterable<RouteState>, link: number): Generator<RouteEntry> {
    for (const route of routes) yield* this.ownRows(route, link)
  }

  isWanted(row: RouteKey): boolean {
    return this.table.isWanted(row)
  }

  /** Whether a route, wherever it leads, may have been put in the place of one of ours. */
  mayBeReplacedBy(route: RouteState): boolean {
    if (this.ownership.routesOnly) return this.#wantedTo.get(route.destination.text)?.metric === route.metric
    return routesReplacedBy(route).some((ours) => this.isWanted(ours) || this.table.isThere(ours))
  }
}
