import type { Clock, Random } from '../time/clock.ts'
import type { Family } from '../net/ip.ts'
import { Drift, NO_DRIFT, type DriftReport } from './drift.ts'
import type { PeerEntries } from './entries.ts'
import type {
  Kernel,
  KernelError,
  KernelErrorCode,
  KernelChange,
  KernelRows,
  OpResult,
  RouteState,
} from '../kernel/kernel.ts'
import { GatewayGuides } from './gateway-guides.ts'
import type { RouteOwnership } from './link-routes.ts'
import { LinkTables } from './link-tables.ts'
import { MovingPeers } from './moving-peers.ts'
import { planRows, type PlannedLink } from './plan.ts'
import { withReason, type PendingRow } from './pending-row.ts'
import type { PlannedRow, RowFailure } from './row.ts'
import type { ShownRow } from './shown-row.ts'
import { isOwnDirectRoute, isOwnRoute, type Cut } from './ownership.ts'
import { routeRules } from './table-rules.ts'
import { Slices } from '../time/slices.ts'
import { Turns } from '../time/turns.ts'

/*
 * Makes the kernel's tables what the peers demand. It is handed a Kernel, what each peer needs (`setPeer`) and what the kernel reports
 * (`observe`). agent/datapath makes one for each address family; its ReconcileTask calls `pass`, whenever there may be something to do.
 */

/** What one pass did. */
export interface PassReport extends DriftReport {
  readonly written: number
  readonly erased: number
  readonly failures: readonly RowFailure[]
  readonly tookSnapshot: boolean
  /** The device that was looked at; undefined when there was none. */
  readonly linkIndex: number | undefined
}

/** What has become of the rows of a pass. */
interface Written {
  written: number
  erased: number
  readonly failures: RowFailure[]
}

/** Rows that are made out in full at a time: enough that what they cost beside is nothing, and few beside what a turn may take. */
const ROWS_AT_ONCE = 1_536

/** Errors that say more of the device than of the row: the tables are read again, and the row is named only if it happens again. */
const SNAPSHOT_CODES: ReadonlySet<KernelErrorCode> = new Set(['LOST', 'ENODEV', 'ENETDOWN'])

/** On our own device every permanent entry is ours, and routes by {@link isOwnRoute}. */
const OUR_DEVICE: RouteOwnership = { routesOnly: false, isOwnRoute }

/**
 * Keeps the kernel tables of our device, and our routes on the underlay's link, as the peers demand. Passive: it is told what should
 * be ({@link setPeer}) and what is ({@link observe}), and {@link pass} sends the difference. It never waits and never starts anything
 * by itself.
 */
export class Reconciler {
  readonly #kernel: Kernel
  readonly #clock: Clock
  readonly #families: readonly Family[]
  readonly #slices: Slices
  readonly #drift = new Drift()
  readonly #device: LinkTables
  readonly #underlay: LinkTables
  readonly #links: readonly LinkTables[]
  readonly #peers: MovingPeers
  readonly #guides: GatewayGuides
  #mayPrune = false

  constructor(kernel: Kernel, families: readonly Family[], clock: Clock, random: Random) {
    this.#kernel = kernel
    this.#clock = clock
    this.#families = families
    this.#slices = new Slices(clock)
    this.#device = new LinkTables(OUR_DEVICE, clock, random, this.#drift)
    this.#underlay = new LinkTables({ ...OUR_DEVICE, routesOnly: true }, clock, random, this.#drift)
    this.#links = [this.#device, this.#underlay]
    this.#guides = new GatewayGuides(this.#device)
    this.#peers = new MovingPeers(this.#device, this.#underlay)
  }

  /** The device whose tables are kept; undefined while there is none. */
  get linkIndex(): number | undefined {
    return this.#device.linkIndex
  }

  /** The links whose table entries it must be told of ({@link Kernel.changes}). */
  get watchedLinks(): readonly number[] {
    return this.#links.flatMap(({ linkIndex }) => linkIndex ?? [])
  }

  get peers(): number {
    return this.#peers.size
  }

  /**
   * Underlay addresses that the device sends to, also for peers that are to go; undefined while its tables are not known. Costs in
   * proportion to all.
   */
  remotes(): ReadonlySet<string> | undefined {
    return this.#device.isRead && !this.#device.isUnknown ? this.#device.remotes() : undefined
  }

  /** Rows that are not as they should be, those held back included. */
  get pending(): number {
    return this.#links.reduce((sum, { pending }) => sum + pending, 0)
  }

  /** Rows that peers want. */
  get wanted(): number {
    return this.#links.reduce((sum, { wanted }) => sum + wanted, 0)
  }

  /**
   * Of each row that is not as it should be: what it is, for whom, why, and until when it is left alone. A pure look, whose cost is in
   * proportion to these rows.
   */
  *pendingRows(): Generator<PendingRow> {
    for (const link of this.#links)
      for (const row of link.pendingRows(this.#mayPrune)) yield link === this.#device ? this.#unlessGuided(row) : row
  }

  /** Those of them that the kernel has refused. Costs nothing where there is none. */
  *refusedRows(): Generator<PendingRow> {
    for (const { tables } of this.#links) for (const table of tables) yield* table.refusedRows()
  }

  /** Peers for whom a row is not as it should be, as often as one is. Costs in proportion to these rows. */
  *pendingPeers(): Generator<string> {
    for (const { tables } of this.#links) for (const table of tables) yield* table.pendingOwners()
  }

  /** What one peer wants, and whether it is there: a pure look. */
  rowsOf(peer: string): Iterable<ShownRow> {
    return this.#peers.rowsOf(peer)
  }

  /** Whether one peer is reached without a tunnel. */
  isDirect(peer: string): boolean {
    return this.#peers.isDirect(peer)
  }

  #unlessGuided(row: PendingRow): PendingRow {
    if (row.table !== 'route' || row.peer === undefined || row.why.is !== 'missing') return row
    const guide = this.#guides.awaitedBy(row.peer)
    return guide === undefined || routeRules.key(guide) === row.key
      ? row
      : withReason(row, { is: 'waiting', for: routeRules.show(guide) }, row.untilMs)
  }

  /** Whether our routes on the underlay's link have been read. */
  get isUnderlayRead(): boolean {
    return this.#underlay.isRead
  }

  /** The device has this index now; its tables are read before the next write. */
  attach(linkIndex: number): void {
    this.#device.attach(linkIndex, OUR_DEVICE)
  }

  /** The device is gone, and its rows with it. */
  detach(): void {
    this.#device.detach()
  }

  /** The underlay's link has this index; nothing happens when that is known. Of its routes, ours are those that `cut` lets us make. */
  attachUnderlay(linkIndex: number, cut: Cut): void {
    if (this.#underlay.linkIndex === linkIndex) return
    this.#underlay.attach(linkIndex, { routesOnly: true, isOwnRoute: (row) => isOwnDirectRoute(row, cut) })
  }

  /** A complete list of peers has been seen: rows that no peer wants may go from now on. */
  allowPruning(): void {
    this.#mayPrune = true
  }

  /** Only a new snapshot tells the truth, of the links as well. */
  invalidate(): void {
    for (const link of this.#links) link.invalidate()
  }

  /**
   * Sets, changes or (undefined) gives up what one peer needs. One that moves to the other link keeps what stands until it has arrived,
   * however often it turns back on its way.
   */
  setPeer(peer: string, entries: PeerEntries | undefined): void {
    this.#guides.end(peer)
    this.#peers.set(peer, entries)
  }

  /** The kernel reports a change. @returns whether there may be something to do */
  observe(change: KernelChange): boolean {
    if (change.kind === 'overrun') this.invalidate()
    const concerned = this.#links.filter((link) => link.concerns(change))
    for (const link of concerned) link.observe(change)
    return (
      this.#freesGateway(change) ||
      ((concerned.length > 0 || change.kind === 'overrun') &&
        (this.#links.some((link) => link.isUnknown) || this.pending > 0))
    )
  }

  /** The kernel takes no address of this host for a gateway, whichever link has it. @returns whether it has refused one that is free now */
  #freesGateway(change: KernelChange): boolean {
    if (change.kind !== 'address' || !change.gone) return false
    const { ip } = change.address
    return this.#links.map((link) => link.addressIsFree(ip)).includes(true)
  }

  /**
   * Brings the kernel's tables closer to what the peers demand: reads them when they are not known, then sends what differs.
   * Rows that fail are retried later, alone. Only one pass may run at a time.
   * @throws {KernelError} when the tables cannot be read; nothing is lost, the next pass reads again
   */
  async pass(signal: AbortSignal): Promise<PassReport> {
    await this.#kernel.catchUp() // or a burst of reports would be answered row by row, each answer outdated by the next report
    const nowMs = this.#clock.monotonicMs()
    const looked = { linkIndex: this.linkIndex, tookSnapshot: false }
    const known: PlannedLink[] = []
    for (const link of this.#links) {
      const { linkIndex, tables } = link
      if (linkIndex === undefined) continue
      const isReadNow = link.isReadDue(nowMs) && (await this.#read(link, linkIndex, signal))
      if (isReadNow && link === this.#device) looked.tookSnapshot = true
      if (linkIndex === link.linkIndex && (isReadNow || !link.isUnknown) && !link.isDown)
        known.push({ linkIndex, tables, prune: this.#mayPruneOn(link) })
    }
    const { hasSent, ...written } = await this.#planAndWrite(known, nowMs, signal)
    return { ...this.#report(written, hasSent), ...looked }
  }

  async #planAndWrite(
    known: readonly PlannedLink[],
    nowMs: number,
    signal: AbortSignal,
  ): Promise<Written & { readonly hasSent: boolean }> {
    const tables = this.#links.flatMap((link) => link.tables)
    for (const table of tables) table.beginWrite()
    try {
      const rows = await this.#slices.outcome(planRows(known, nowMs))
      return { ...(await this.#write(rows, signal)), hasSent: rows.length > 0 }
    } finally {
      for (const table of tables) table.endWrite()
    }
  }

  /**
   * What an earlier run has left on one link may be all by which peers are reached that are to be reached over the other: it stays until
   * that one is there, and what is wanted of it is written in the same pass, before anything is erased.
   */
  #mayPruneOn(link: LinkTables): boolean {
    const other = link === this.#device ? this.#underlay : this.#device
    return this.#mayPrune && (other.isRead || other.wanted === 0)
  }

  #read(link: LinkTables, linkIndex: number, signal: AbortSignal): Promise<boolean> {
    return link.read(linkIndex, () =>
      link === this.#device
        ? this.#kernel.rows(linkIndex, this.#families, signal)
        : this.#readRoutes(linkIndex, signal),
    )
  }

  async #readRoutes(linkIndex: number, signal: AbortSignal): Promise<KernelRows> {
    const routes: (readonly RouteState[])[] = []
    for (const family of this.#families) routes.push(await this.#kernel.routes(family, signal, { linkIndex }))
    return { neighbours: [], fdb: [], routes: routes.flat() }
  }

  /** Sends the rows in their order, and notes what becomes of each. A part at a time: only that is made out in full. */
  async #write(rows: readonly PlannedRow[], signal: AbortSignal): Promise<Written> {
    const written = { written: 0, erased: 0, failures: [] as RowFailure[] }
    const turns = new Turns(this.#clock)
    for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
      const part = rows.slice(from, from + ROWS_AT_ONCE).filter((row) => row.begin())
      const ops = part.map(({ op }) => op)
      const results = ops.length === 0 ? [] : await this.#kernel.apply(ops, signal)
      this.#note(part, results, written)
      await turns.give()
    }
    return written
  }

  #note(rows: readonly PlannedRow[], results: readonly OpResult[], written: Written): void {
    for (const [at, row] of rows.entries()) {
      const result = results[at]
      if (result?.ok === false) this.#fail(row, result.error, written.failures)
      else {
        row.settle()
        if (row.erases) written.erased++
        else written.written++
      }
    }
  }

  #report(written: Pick<PassReport, keyof Written>, hasSent: boolean): Omit<PassReport, 'tookSnapshot' | 'linkIndex'> {
    this.#peers.endMoves()
    this.#guides.endSettled()
    // A write ends behind all reports so far. Without one, perhaps a report of the device is still to come that explains the drift.
    const isEarly = !hasSent && (this.#isUnknown || this.nextPassInMs() === 0)
    const drift = isEarly ? NO_DRIFT : this.#drift.take()
    return { ...written, ...drift }
  }

  get #isUnknown(): boolean {
    return this.#links.some((link) => link.isUnknown)
  }

  #fail(row: PlannedRow, error: KernelError, failures: RowFailure[]): void {
    const { owner = '' } = row
    if (this.#guides.answer(owner, this.#peers.entriesOf(owner).onDevice, error)) return
    if (error.op === 'route.replace' && error.code === 'EEXIST' && row.isOutranked()) return
    const times = row.refuse(error, this.#clock.monotonicMs())
    if (SNAPSHOT_CODES.has(error.code)) for (const link of this.#links) link.invalidateRows()
    if (times > 1 || !SNAPSHOT_CODES.has(error.code))
      failures.push({ row: row.describe(), peer: row.owner, error, times })
  }

  /** How long the next pass can wait if nothing is reported until then, in milliseconds; undefined: for ever. */
  nextPassInMs(): number | undefined {
    const nowMs = this.#clock.monotonicMs()
    const times = this.#links.flatMap((link) => link.nextPassInMs(nowMs, this.#mayPruneOn(link)) ?? [])
    return times.length === 0 ? undefined : Math.min(...times)
  }
}
