import type { Clock, Random } from '../net/clock.ts'
import type { Family } from '../net/ip.ts'
import { Drift, NO_DRIFT, type DriftReport } from './drift.ts'
import type { PeerEntries, RouteEntry } from './entries.ts'
import type { FdbState, Kernel, KernelError, KernelChange, KernelTables, LinkState, OpResult } from './kernel.ts'
import { planRows } from './plan.ts'
import { Table, type PlannedRow } from './table.ts'
import {
  fdbRules,
  isOwnRoute,
  neighbourRules,
  ownFdb,
  ownNeighbour,
  routeOf,
  routeReplacedBy,
  routeRules,
} from './tables.ts'

/** A row the kernel refused, with its own words. */
export interface RowFailure {
  readonly row: string
  readonly peer: string | undefined
  readonly error: KernelError
  /** How often in a row. */
  readonly times: number
}

/** What one pass did. */
export interface PassReport extends DriftReport {
  readonly written: number
  readonly erased: number
  readonly failures: readonly RowFailure[]
  readonly tookSnapshot: boolean
  /** The device that was looked at; undefined when there was none. */
  readonly linkIndex: number | undefined
}

/** What of the device has a say in whether its rows stand. */
type SeenLink = Pick<LinkState, 'up' | 'mac' | 'mtu' | 'master'>

const NO_ENTRIES: PeerEntries = { neighbours: [], fdb: [], routes: [] }

/** Snapshots cost in proportion to the tables; however much goes on, there are at most four a second. */
const SNAPSHOT_SPACING_MS = 250

/** Errors that say more of the device than of the row: the tables are read again, and the row is named only if it happens again. */
const SNAPSHOT_CODES: ReadonlySet<string> = new Set(['LOST', 'ENODEV', 'ENETDOWN'])

/**
 * Keeps three kernel tables of one device as the peers demand. Passive: it is told what should be ({@link setPeer}) and what is
 * ({@link observe}), and {@link pass} sends the difference. It never waits and never starts anything by itself.
 */
export class Reconciler {
  readonly #kernel: Kernel
  readonly #clock: Clock
  readonly #families: readonly Family[]
  readonly #neighbours
  readonly #fdb
  readonly #routes
  readonly #tables
  readonly #peers = new Map<string, PeerEntries>()
  #link: number | undefined
  #mayPrune = false
  #unknown = true
  #lastSnapshotMs = Number.NEGATIVE_INFINITY
  /** Changes that arrive while a snapshot is being read are applied after it. */
  #inbox: KernelChange[] | undefined
  /**
   * The device itself has changed in a way that takes rows with it. Until the tables have been read again, nobody is blamed for
   * what is missing: the device is reported, by whoever keeps it.
   */
  #excused = false
  /** The device as last reported; undefined before the first report. */
  #seen: SeenLink | undefined
  readonly #drift = new Drift()

  constructor(kernel: Kernel, families: readonly Family[], clock: Clock, random: Random) {
    this.#kernel = kernel
    this.#clock = clock
    this.#families = families
    this.#neighbours = new Table(neighbourRules, random)
    this.#fdb = new Table(fdbRules, random)
    this.#routes = new Table(routeRules, random)
    this.#tables = [this.#neighbours, this.#fdb, this.#routes]
  }

  /** The device whose tables are kept; undefined while there is none. */
  get linkIndex(): number | undefined {
    return this.#link
  }

  /** The links whose table entries it must be told of ({@link Kernel.changes}). */
  get watchedLinks(): readonly number[] {
    return this.#link === undefined ? [] : [this.#link]
  }

  get peers(): number {
    return this.#peers.size
  }

  /** The kernel takes no routes for a device that is down; what can be written waits until it is up again. */
  get #isDown(): boolean {
    return this.#seen?.up === false
  }

  /** Rows that are not as they should be, those held back included. */
  get pending(): number {
    return this.#tables.reduce((sum, table) => sum + table.pendingSize, 0)
  }

  /** The device has this index now; its tables are read before the next write. */
  attach(linkIndex: number): void {
    if (this.#link !== linkIndex) this.detach()
    this.#link = linkIndex
    this.#seen = undefined
    this.#excuse()
  }

  /** The device is gone, and its rows with it. */
  detach(): void {
    this.#link = undefined
    this.#seen = undefined
    this.#excuse()
    for (const table of this.#tables) table.forgetActual()
  }

  /** Rows have gone with the device, or may have: no drift, and no row waits because of it. */
  #excuse(): void {
    this.#unknown = true
    this.#excused = true
    this.#drift.forget()
    for (const table of this.#tables) table.forgive()
  }

  /** A complete list of peers has been seen: rows that no peer wants may go from now on. */
  allowPruning(): void {
    this.#mayPrune = true
  }

  /** Only a new snapshot tells the truth, of the device as well. */
  distrust(): void {
    this.#unknown = true
    this.#seen = undefined
  }

  /** Sets, changes or (undefined) gives up what one peer needs. */
  setPeer(peer: string, entries: PeerEntries | undefined): void {
    const before = this.#peers.get(peer) ?? NO_ENTRIES
    const after = entries ?? NO_ENTRIES
    this.#neighbours.change(peer, before.neighbours, after.neighbours)
    this.#fdb.change(peer, before.fdb, after.fdb)
    this.#routes.change(peer, before.routes, after.routes)
    if (entries === undefined) this.#peers.delete(peer)
    else this.#peers.set(peer, entries)
  }

  /** The kernel reports a change. @returns whether there may be something to do */
  observe(change: KernelChange): boolean {
    if (this.#inbox !== undefined) {
      this.#inbox.push(change)
      return true
    }
    switch (change.kind) {
      case 'overrun':
        this.distrust()
        break
      case 'link':
        if (change.link.index !== this.#link) return false
        if (change.gone) this.detach()
        else this.#observeLink(change.link)
        break
      case 'address':
        if (change.address.linkIndex !== this.#link) return false
        if (change.gone) this.#excuse()
        else this.#unknown = true
        break
      case 'other-routes':
        return false
      default:
        this.#observeRow(change)
    }
    return this.#unknown || this.pending > 0
  }

  /** A device that goes down or gets another MAC loses rows, some of them without a word; the kernel reports the device after them. */
  #observeLink({ up, mac, mtu, master }: LinkState): void {
    const before = this.#seen
    this.#seen = { up, mac, mtu, master }
    if (!up || before === undefined || before.mac !== mac) this.#excuse()
    else if (!before.up || before.mtu !== mtu || before.master !== master) this.#unknown = true
  }

  #observeRow(change: Extract<KernelChange, { kind: 'neighbour' | 'fdb' | 'route' }>): void {
    if (change.kind === 'route') this.#observeRoute(change)
    else if (change.linkIndex !== this.#link) return
    else if (change.kind === 'fdb') this.#observeFdb(change.entry, change.gone)
    else {
      const { ip } = change.neighbour
      this.#note(this.#neighbours, ip.text, change.gone ? undefined : ownNeighbour(change.neighbour))
    }
  }

  #observeRoute({ route, gone }: Extract<KernelChange, { kind: 'route' }>): void {
    const row = route.linkIndex === this.#link ? routeOf(route) : undefined
    if (row === undefined) return
    if (!gone && !this.#isWanted(row) && this.#isKnown(routeReplacedBy(row))) this.#unknown = true // added, or in its place?
    if (this.#isOurs(row)) this.#note(this.#routes, routeRules.key(row), gone ? undefined : row)
  }

  #observeFdb(state: FdbState, gone: boolean): void {
    const entry = ownFdb(state)
    if (entry !== undefined) this.#note(this.#fdb, entry.mac, gone ? undefined : entry)
  }

  #note<V>(table: Table<V>, key: string, value: V | undefined): void {
    const finding = table.observe(key, value, this.#clock.monotonicMs(), this.#excused)
    this.#drift.count(`${table.name} ${key}`, finding)
  }

  #isOurs(row: RouteEntry): boolean {
    return isOwnRoute(row) || this.#isWanted(row)
  }

  #isWanted(row: RouteEntry): boolean {
    return this.#routes.desired(routeRules.key(row)) !== undefined
  }

  #isKnown(row: RouteEntry): boolean {
    return this.#isWanted(row) || this.#routes.actual(routeRules.key(row)) !== undefined
  }

  /**
   * Brings the kernel's tables closer to what the peers demand: reads them when they are not known, then sends what differs.
   * Rows that fail are retried later, alone. Only one pass may run at a time.
   * @throws {KernelError} when the tables cannot be read; nothing is lost, the next pass reads again
   */
  async pass(signal: AbortSignal): Promise<PassReport> {
    await this.#kernel.catchUp() // or a burst of reports would be answered row by row, each answer outdated by the next report
    const linkIndex = this.#link
    const nowMs = this.#clock.monotonicMs()
    const tookSnapshot = linkIndex !== undefined && this.#unknown && nowMs - this.#lastSnapshotMs >= SNAPSHOT_SPACING_MS
    if (tookSnapshot) await this.#readAll(linkIndex, signal)
    if (linkIndex === undefined || linkIndex !== this.#link || (this.#unknown && !tookSnapshot) || this.#isDown)
      return { ...this.#report([], []), tookSnapshot, linkIndex }
    const rows = planRows(this.#tables, linkIndex, nowMs, this.#mayPrune)
    return { ...this.#report(rows, await this.#write(rows, signal)), tookSnapshot, linkIndex }
  }

  async #readAll(linkIndex: number, signal: AbortSignal): Promise<void> {
    const excused = this.#excused
    this.#unknown = false
    this.#excused = false
    this.#lastSnapshotMs = this.#clock.monotonicMs()
    const inbox: KernelChange[] = []
    this.#inbox = inbox
    try {
      const tables = await this.#kernel.snapshot(linkIndex, this.#families, signal)
      if (linkIndex === this.#link) this.#replaceActual(tables, excused)
    } catch (error) {
      this.#unknown = true
      this.#excused ||= excused
      throw error
    } finally {
      this.#inbox = undefined
      for (const change of inbox) this.observe(change)
    }
  }

  #replaceActual(tables: KernelTables, excused: boolean): void {
    const neighbours = tables.neighbours.flatMap((state) => ownNeighbour(state) ?? [])
    const fdb = tables.fdb.flatMap((state) => ownFdb(state) ?? [])
    const routes = tables.routes.flatMap((route) => routeOf(route) ?? []).filter((row) => this.#isOurs(row))
    this.#replaceTable(this.#neighbours, neighbours, excused)
    this.#replaceTable(this.#fdb, fdb, excused)
    this.#replaceTable(this.#routes, routes, excused)
  }

  #replaceTable<V>(table: Table<V>, dump: readonly V[], excused: boolean): void {
    for (const { key, finding } of table.replaceActual(dump, this.#clock.monotonicMs(), excused))
      this.#drift.count(`${table.name} ${key}`, finding)
  }

  async #write(rows: readonly PlannedRow[], signal: AbortSignal): Promise<readonly OpResult[]> {
    if (rows.length === 0) return []
    for (const table of this.#tables) table.beginWrite()
    for (const row of rows) row.begin()
    try {
      return await this.#kernel.apply(
        rows.map(({ op }) => op),
        signal,
      )
    } finally {
      for (const table of this.#tables) table.endWrite()
    }
  }

  #report(rows: readonly PlannedRow[], results: readonly OpResult[]): Omit<PassReport, 'tookSnapshot' | 'linkIndex'> {
    const failures: RowFailure[] = []
    let [written, erased] = [0, 0]
    rows.forEach((row, at) => {
      const result = results[at]
      if (result?.ok === false) this.#fail(row, result.error, failures)
      else {
        row.settle()
        if (row.erases) erased++
        else written++
      }
    })
    // A write ends behind all reports so far. Without one, perhaps a report of the device is still to come that explains the drift.
    const isEarly = rows.length === 0 && (this.#unknown || this.nextPassInMs() === 0)
    const drift = isEarly ? NO_DRIFT : this.#drift.take()
    return { written, erased, failures, ...drift }
  }

  #fail(row: PlannedRow, error: KernelError, failures: RowFailure[]): void {
    const times = row.refuse(this.#clock.monotonicMs())
    if (SNAPSHOT_CODES.has(error.code)) this.#unknown = true
    if (times > 1 || !SNAPSHOT_CODES.has(error.code))
      failures.push({ row: row.describe(), peer: row.owner, error, times })
  }

  /** How long the next pass can wait if nothing is reported until then, in milliseconds; undefined: for ever. */
  nextPassInMs(): number | undefined {
    if (this.#link === undefined) return undefined
    const nowMs = this.#clock.monotonicMs()
    if (this.#unknown) return Math.max(0, this.#lastSnapshotMs + SNAPSHOT_SPACING_MS - nowMs)
    if (this.#isDown) return undefined
    const times = this.#tables.flatMap((table) => table.nextAttemptMs(nowMs, this.#mayPrune) ?? [])
    return times.length === 0 ? undefined : Math.max(0, Math.min(...times) - nowMs)
  }
}
