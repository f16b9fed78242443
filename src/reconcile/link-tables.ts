import { sameIp, type Ip } from '../net/ip.ts'
import type { Clock, Random } from '../time/clock.ts'
import { Slices, type Steps } from '../time/slices.ts'
import type { Drift } from './drift.ts'
import type { RouteEntry, LinkRows } from './entries.ts'
import {
  leadsOver,
  type FdbState,
  type KernelChange,
  type KernelRows,
  type LinkState,
  type RouteState,
} from '../kernel/kernel.ts'
import { LinkRoutes, type RouteOwnership } from './link-routes.ts'
import { ABSENT, linkAfter, takesRows, type KnownLink, type LinkEvent, type Trust } from './known-link.ts'
import { withReason, type PendingRow } from './pending-row.ts'
import type { ShownRow } from './shown-row.ts'
import { Table, type PlannedTable } from './table.ts'
import { ownFdb, ownNeighbour } from './ownership.ts'
import { fdbRules, neighbourRules, routeRules, type TableRules } from './table-rules.ts'

/*
 * The three tables of one link, and whether what is known of them can be trusted (known-link.ts). It is handed the link's index, the
 * kernel's reports, and what to read the tables with. The reconciler keeps two: for our device, and for the underlay's link.
 */

/** The row cannot be sent before something else has happened. What has befallen it counts for more. */
function waitingFor(what: string, row: PendingRow): PendingRow {
  const isTroubled = row.why.is === 'refused' || row.why.is === 'flapping'
  return withReason(row, isTroubled ? row.why : { is: 'waiting', for: what }, Infinity)
}

function* rowsOf<S, V>(dump: Iterable<S>, own: (state: S) => V | undefined): Generator<V> {
  for (const state of dump) {
    const row = own(state)
    if (row !== undefined) yield row
  }
}

/** Takes steps for as long as this is so. */
function* whileTrue(isSo: () => boolean, steps: Steps): Steps {
  while (isSo() && steps.next().done !== true) yield
}

type OfNoLink = Extract<KernelChange, { kind: 'overrun' | 'other-routes' | 'foreign-route' | 'rules' }>

const isOfNoLink = (change: KernelChange): change is OfNoLink =>
  ['overrun', 'other-routes', 'foreign-route', 'rules'].includes(change.kind)

/** Snapshots cost in proportion to the tables; however much goes on, there are at most four a second. */
const SNAPSHOT_SPACING_MS = 250

/**
 * The kernel tables of one link: what should be in them, what is as far as is known, and whether that can be trusted. Passive: it is
 * told everything, and waits for nobody.
 */
export class LinkTables {
  readonly tables: readonly PlannedTable[]
  readonly #clock: Clock
  readonly #drift: Drift
  readonly #slices: Slices
  readonly #neighbours
  readonly #fdb
  readonly #routes
  #link: KnownLink = ABSENT
  /** Changes that arrive while the tables are being read are applied after it; undefined while they are not. */
  #inbox: KernelChange[] | undefined
  #lastReadMs = Number.NEGATIVE_INFINITY

  constructor(ownership: RouteOwnership, clock: Clock, random: Random, drift: Drift) {
    this.#clock = clock
    this.#drift = drift
    this.#slices = new Slices(clock)
    this.#neighbours = new Table(neighbourRules, random)
    this.#fdb = new Table(fdbRules, random)
    this.#routes = new LinkRoutes(ownership, random)
    this.tables = [this.#neighbours, this.#fdb, this.#routes.table]
  }

  /** The link whose tables are kept; undefined while there is none. */
  get linkIndex(): number | undefined {
    return this.#link.is === 'attached' ? this.#link.index : undefined
  }

  /** Only reading the tables again tells the truth. */
  get isUnknown(): boolean {
    return this.#link.is === 'attached' && this.#link.trust !== 'trusted'
  }

  /** Whether the tables of the link that is kept now have been read in full. */
  get isRead(): boolean {
    return this.#link.is === 'attached' && this.#link.isRead
  }

  /** Where the fdb entries that are there lead to. */
  remotes(): ReadonlySet<string> {
    return new Set(Array.from(this.#fdb.actuals(), ({ remote }) => remote.text))
  }

  /** The kernel takes no routes for a link that is down; what can be written waits until it is up again. */
  get isDown(): boolean {
    return this.#link.is === 'attached' && this.#link.seen?.up === false
  }

  /** Rows that are not as they should be, those held back included. */
  get pending(): number {
    return this.tables.reduce((sum, table) => sum + table.pendingSize, 0)
  }

  /**
   * Rows that are not as they should be, and why. Costs in proportion to them.
   * @param prune whether rows that no peer wants may go
   */
  *pendingRows(prune: boolean): Generator<PendingRow> {
    const isUp = this.#link.is === 'attached' && !this.isDown
    for (const table of this.tables)
      for (const row of table.pendingRows()) {
        if (!isUp) yield waitingFor('a link that is up', row)
        else if (row.peer === undefined && !prune) yield waitingFor('the first list of peers', row)
        else yield row
      }
  }

  /** Rows that a peer wants here, as people are shown them. */
  *shown({ neighbours, fdb, routes }: LinkRows): Generator<ShownRow> {
    for (const row of neighbours) yield this.#neighbours.shown(row)
    for (const row of fdb) yield this.#fdb.shown(row)
    for (const row of routes) yield this.#routes.table.shown(row)
  }

  /** Rows that some peer wants. */
  get wanted(): number {
    return this.tables.reduce((sum, table) => sum + table.desiredSize, 0)
  }

  /** The link has this index now; its tables are read before the next write. */
  attach(linkIndex: number, ownership: RouteOwnership): void {
    if (this.linkIndex !== linkIndex) this.detach()
    this.#routes.ownership = ownership
    this.#befalls({ event: 'attached', index: linkIndex })
  }

  /** The link is gone, and its rows with it. */
  detach(): void {
    this.#befalls({ event: 'gone' })
    for (const table of this.tables) table.forgetActual()
  }

  /** Only a new snapshot tells the truth, of the link as well. */
  invalidate(): void {
    this.#befalls({ event: 'all in doubt' })
  }

  /** An answer says more of the link than of the row it was for. */
  invalidateRows(): void {
    this.#befalls({ event: 'rows in doubt' })
  }

  /** Where rows have gone with the link there is no drift, and no row waits because of it. */
  #befalls(what: LinkEvent): void {
    const link = this.#link
    this.#link = linkAfter(link, what)
    if (!takesRows(link, what)) return
    this.#drift.forget()
    for (const table of this.tables) table.reset()
  }

  /** Replaces the rows that a peer wants here by others; either may be none. */
  change(peer: string, before: LinkRows, after: LinkRows): void {
    this.#neighbours.change(peer, before.neighbours, after.neighbours)
    this.#fdb.change(peer, before.fdb, after.fdb)
    this.#routes.change(peer, before.routes, after.routes)
  }

  /** What nobody wants of these rows stays for now, or (`isKept` false) may go. */
  keep({ neighbours, fdb, routes }: LinkRows, isKept: boolean): void {
    this.#neighbours.keep(neighbours, isKept)
    this.#fdb.keep(fdb, isKept)
    this.#routes.table.keep(routes, isKept)
  }

  /** Whether one of these routes stands, as far as is known, or is being written. */
  mayStand({ routes }: LinkRows): boolean {
    return routes.some((row) => this.#routes.table.mayStand(row))
  }

  /** Whether all these rows stand as they are wanted. */
  isSettled({ neighbours, fdb, routes }: LinkRows): boolean {
    return (
      neighbours.every((row) => this.#neighbours.isSettled(row)) &&
      fdb.every((row) => this.#fdb.isSettled(row)) &&
      routes.every((row) => this.#routes.table.isSettled(row))
    )
  }

  /** Routes of the same destination and metric now stand on another link, in place of these. */
  replacedElsewhere(routes: readonly RouteEntry[]): void {
    for (const row of routes) this.#routes.table.forgetRow(row)
  }

  /** The kernel reports a change; for an overrun, {@link invalidate} is called instead. */
  observe(change: KernelChange): void {
    if (this.#inbox !== undefined) {
      this.#inbox.push(change)
      return
    }
    switch (change.kind) {
      case 'link':
        if (change.link.index === this.linkIndex) this.#observeLink(change.link, change.gone)
        break
      case 'address':
        if (change.address.linkIndex === this.linkIndex)
          this.#befalls({ event: change.gone ? 'address gone' : 'rows in doubt' })
        break
      case 'overrun':
      case 'other-routes':
      case 'foreign-route':
      case 'rules':
        break
      default:
        this.#observeRow(change)
    }
  }

  /** No link of the host has this address any more: the kernel refuses no gateway for it. @returns whether it has refused one */
  addressIsFree(ip: Ip): boolean {
    return this.#routes.table.retryRefused(({ gateway }) => gateway !== undefined && sameIp(gateway, ip))
  }

  /** Whether a change is about this link. */
  concerns(change: KernelChange): boolean {
    if (isOfNoLink(change)) return false
    if (this.#inbox !== undefined) return true
    if (change.kind === 'link') return change.link.index === this.linkIndex
    if (change.kind === 'address') return change.address.linkIndex === this.linkIndex
    if (change.kind === 'route') return this.#leadsHere(change.route) || this.#routes.mayBeReplacedBy(change.route)
    return change.linkIndex === this.linkIndex
  }

  #observeLink({ up, mac, mtu, master }: LinkState, gone: boolean): void {
    if (gone) this.detach()
    else this.#befalls({ event: 'reported', link: { up, mac, mtu, master } })
  }

  #observeRow(change: Extract<KernelChange, { kind: 'neighbour' | 'fdb' | 'route' }>): void {
    if (change.kind === 'route') this.#observeRoute(change)
    else if (change.linkIndex !== this.linkIndex || this.#routes.ownership.routesOnly) return
    else if (change.kind === 'fdb') this.#observeFdb(change.entry, change.gone)
    else {
      const { ip } = change.neighbour
      this.#note(this.#neighbours, neighbourRules, { ip }, change.gone ? undefined : ownNeighbour(change.neighbour))
    }
  }

  #observeRoute({ route, gone }: Extract<KernelChange, { kind: 'route' }>): void {
    const { linkIndex } = this
    const rows = linkIndex === undefined ? [] : this.#routes.ownRows(route, linkIndex)
    const isWanted = rows.some((row) => this.#routes.isWanted(row))
    if (!gone && route.gateway === undefined && this.#leadsHere(route)) this.#routes.table.retryRefused() // it reaches more
    if (!gone && !isWanted && this.#routes.mayBeReplacedBy(route)) this.invalidateRows() // added, or in its place?
    for (const row of rows) this.#note(this.#routes.table, routeRules, row, gone ? undefined : row)
  }

  #leadsHere(route: RouteState): boolean {
    return this.#link.is === 'attached' && leadsOver(route, this.#link.index)
  }

  #observeFdb(state: FdbState, gone: boolean): void {
    const entry = ownFdb(state)
    if (entry !== undefined) this.#note(this.#fdb, fdbRules, entry, gone ? undefined : entry)
  }

  #note<V extends K, K>(table: Table<V, K>, rules: TableRules<V, K>, key: K, value: V | undefined): void {
    const finding = table.observe(key, value, this.#clock.monotonicMs(), this.#trust === 'excused')
    if (finding !== 'quiet') this.#drift.count(rules.name, rules.key(key), finding)
  }

  /** Whether the tables are to be read now. */
  isReadDue(nowMs: number): boolean {
    return this.isUnknown && nowMs - this.#lastReadMs >= SNAPSHOT_SPACING_MS
  }

  /**
   * Reads the tables; what is reported meanwhile counts more.
   * @returns whether they are still those of the link that is kept
   * @throws whatever `snapshot` does; then they count as unknown
   */
  async read(linkIndex: number, snapshot: (linkIndex: number) => Promise<KernelRows>): Promise<boolean> {
    const before = this.#trust
    this.#befalls({ event: 'reading' })
    this.#lastReadMs = this.#clock.monotonicMs()
    const inbox: KernelChange[] = []
    this.#inbox = inbox
    try {
      const tables = await snapshot(linkIndex)
      await this.#slices.run(this.#replacingActual(linkIndex, tables, before === 'excused'))
      if (linkIndex !== this.linkIndex) return false
      this.#befalls({ event: 'read' })
    } catch (error) {
      this.#befalls({ event: 'not read', before })
      throw error
    } finally {
      this.#inbox = undefined
      for (const change of inbox) this.observe(change)
    }
    return linkIndex === this.linkIndex
  }

  get #trust(): Trust {
    return this.#link.is === 'attached' ? this.#link.trust : 'doubted'
  }

  /** Some rows after the others: all of them at once, as objects, would be tens of megabytes. Ends when the link goes meanwhile. */
  *#replacingActual(linkIndex: number, { neighbours, fdb, routes }: KernelRows, excused: boolean): Steps {
    const isKept = (): boolean => linkIndex === this.linkIndex
    yield* whileTrue(isKept, this.#replacingTable(this.#neighbours, rowsOf(neighbours, ownNeighbour), excused))
    yield* whileTrue(isKept, this.#replacingTable(this.#fdb, rowsOf(fdb, ownFdb), excused))
    const own = this.#routes.allOwnRows(routes, linkIndex)
    yield* whileTrue(isKept, this.#replacingTable(this.#routes.table, own, excused))
  }

  *#replacingTable<V extends K, K>(table: Table<V, K>, dump: Iterable<V>, excused: boolean): Steps {
    for (const { key, finding } of yield* table.replacingActual(dump, this.#clock.monotonicMs(), excused))
      this.#drift.count(table.name, key, finding)
  }

  /** How long the next pass can wait if nothing is reported until then, in milliseconds; undefined: for ever. */
  nextPassInMs(nowMs: number, prune: boolean): number | undefined {
    if (this.#link.is === 'absent') return undefined
    if (this.isUnknown) return Math.max(0, this.#lastReadMs + SNAPSHOT_SPACING_MS - nowMs)
    if (this.isDown) return undefined
    const times = this.tables.flatMap((table) => table.nextAttemptMs(nowMs, prune) ?? [])
    return times.length === 0 ? undefined : Math.max(0, Math.min(...times) - nowMs)
  }
}
