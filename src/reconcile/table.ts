import type { Random } from '../time/clock.ts'
import { DeltaTracker } from './tracker/delta-tracker.ts'
import type { KernelError, KernelOp } from '../kernel/kernel.ts'
import type { PendingRow, Why } from './pending-row.ts'
import { Row, type PlannedRow, type RowDeed, type RowTable } from './row.ts'
import type { ShownRow } from './shown-row.ts'
import { Damping } from '../time/damping.ts'
import type { TableRules } from './table-rules.ts'

/*
 * One kernel table of one link: the rows that should be there, the rows that are, and how patient to be with each. It is handed the
 * table's rules (table-rules.ts), what peers want and what the kernel says. LinkTables keeps one for each table; planRows asks it for rows.
 */

/** What a report says of a row: nothing new or our own doing; that somebody undid it; that somebody keeps undoing it. */
export type Finding = 'quiet' | 'undone' | 'flapping'

/** A row that was as desired and no longer is. */
export interface BrokenRow {
  readonly key: string
  readonly finding: Finding
}

/** Rows that are compared in between two steps. */
const AT_ONCE = 64

/** A table as the planner sees it, whatever its rows look like. */
export interface PlannedTable {
  readonly name: PendingRow['table']
  readonly desiredSize: number
  readonly pendingSize: number
  /** Rows to send now: those that differ and need not wait, as of when the first is asked for. Without `prune` nothing is erased. */
  plan(linkIndex: number, nowMs: number, prune: boolean): Iterable<PlannedRow>
  /** Earliest time at which a row held back may be written, on the monotonic clock; undefined when none is held back. */
  nextAttemptMs(nowMs: number, prune: boolean): number | undefined
  /** Between the two, note for which rows the kernel tells us of a change; rows that are planned then stay what they are. */
  beginWrite(): void
  endWrite(): void
  /** Nothing is known of the actual rows (the device is new, or gone). */
  forgetActual(): void
  /** What held rows back is over (the device was mended): none of them waits any longer. */
  reset(): void
  /** Rows that are not as they should be. A pure look, whose cost is in proportion to them; the text of each is made when asked for. */
  pendingRows(): Iterable<PendingRow>
  /** Those of them that the kernel has refused: nothing is looked at where there is none. */
  refusedRows(): Iterable<PendingRow>
  /** Who wants a row that is not as it should be; as often as he wants one. */
  pendingOwners(): Iterable<string>
}

/** One command may undo a row several times: `ip neighbour flush` goes on in rounds, up to ten, for as long as it finds anything. */
const ONCE_WITHIN_MS = 250

/** Desired and actual rows of one kernel table on our device, who wants them, and how patient to be with each. */
export class Table<V extends K, K = V> implements PlannedTable, RowTable<V> {
  readonly #rules: TableRules<V, K>
  readonly #rows: DeltaTracker<K, V>
  /** By key, as are all that have few or no rows. */
  readonly #damping: Damping<KernelError>
  /** Rows that stand behind another of the same key, and whether that has been erased. */
  readonly #outranked = new Map<string, boolean>()
  /** Rows that are not erased though nobody wants them, nor written when they are not there. */
  readonly #kept = new Set<string>()
  /** Cells the kernel reported on while a write was under way: there its report is newer than our acknowledgement may be. */
  readonly #reported = new Set<number>()
  /** What is being written (undefined: erased) at this moment, by cell. A report that says the same is our own echo. */
  readonly #inFlight = new Map<number, V | undefined>()
  #writing = false

  constructor(rules: TableRules<V, K>, random: Random) {
    this.#rules = rules
    this.#rows = new DeltaTracker<K, V>(rules.cells())
    this.#damping = new Damping(random, ONCE_WITHIN_MS)
  }

  get name(): PendingRow['table'] {
    return this.#rules.name
  }

  get desiredSize(): number {
    return this.#rows.desiredSize
  }

  get pendingSize(): number {
    return this.#rows.pendingSize
  }

  actuals(): Iterable<V> {
    return this.#rows.actuals()
  }

  /** Whether some peer wants a row of this key. */
  isWanted(key: K): boolean {
    return this.#rows.isDesired(key)
  }

  /** Whether a row of this key is known to be there. */
  isThere(key: K): boolean {
    return this.#rows.isActual(key)
  }

  /** A row that a peer wants, as people are shown it. */
  shown(value: V): ShownRow {
    return { table: this.#rules.name, row: this.#rules.show(value), isInKernel: this.isSettled(value) }
  }

  /** Whether the row stands as it is wanted. */
  isSettled(key: K): boolean {
    return this.#rows.isDesired(key) && !this.#rows.isPending(key)
  }

  /** The row is known to be there no more, by nobody's fault. */
  forgetRow(key: K): void {
    this.#rows.deleteActual(key)
  }

  /** Replaces the rows that `owner` wants by others; either may be none. */
  change(owner: string, before: readonly V[], after: readonly V[]): void {
    if (before.length > 0) {
      const kept = new Set(after.map((value) => this.#rules.key(value)))
      for (const value of before) if (!kept.has(this.#rules.key(value))) this.unwant(owner, value)
    }
    for (const value of after) this.want(owner, value)
  }

  /** Another value than before is written at once, however long the former one would have had to wait. */
  want(owner: string, value: V): void {
    if (!this.#damping.isIdle && !this.#rows.wants(value, value)) this.#damping.forget(this.#rules.key(value))
    this.#rows.setDesired(value, value, owner)
  }

  /** Gives up a row, unless it has passed to another owner. */
  unwant(owner: string, key: K): void {
    if (this.#rows.owner(key) !== owner) return
    if (!this.#damping.isIdle) this.#damping.forget(this.#rules.key(key))
    this.#rows.deleteDesired(key)
  }

  /** Nobody wants these rows, and what stands of them is to stay for now; or (`isKept` false) may go. */
  keep(rows: readonly V[], isKept: boolean): void {
    for (const row of rows)
      if (isKept) this.#kept.add(this.#rules.key(row))
      else this.#kept.delete(this.#rules.key(row))
  }

  /** Whether the row is known to stand, or is being written. */
  mayStand(key: K): boolean {
    return this.#rows.isActual(key) || this.#inFlight.get(this.#rows.cellOf(key)) !== undefined
  }

  /**
   * The kernel says that the row of this key now is `value` (undefined: is no more).
   * @param excused the device itself has changed: nobody is to blame for what rows it takes with it
   * @returns `undone` when that breaks a row that was as desired, `flapping` when it keeps being broken
   */
  observe(key: K, value: V | undefined, nowMs: number, excused = false): Finding {
    const wasSettled = !this.#rows.isPending(key)
    if (value === undefined) this.#rows.deleteActual(key)
    else this.#rows.setActual(key, value)
    const cell = this.#rows.cellOf(key)
    if (this.#writing && cell >= 0) this.#reported.add(cell)
    if (excused || !wasSettled || !this.#rows.isPending(key) || this.#isEcho(cell, value)) return 'quiet'
    return this.#damping.undone(this.#rules.key(key), nowMs) ? 'flapping' : 'undone'
  }

  #isEcho(cell: number, value: V | undefined): boolean {
    if (!this.#inFlight.has(cell)) return false
    const written = this.#inFlight.get(cell)
    return value === undefined || written === undefined ? value === written : this.#rules.same(value, written)
  }

  /**
   * Replaces what is known by a complete dump, in steps. Meanwhile rows may be wanted or given up, but nothing is to be observed or written.
   * @param excused as for {@link observe}
   * @returns the rows that were as desired and no longer are, as {@link observe} judges them
   */
  *replacingActual(
    dump: Iterable<V>,
    nowMs: number,
    excused = false,
  ): Generator<void, readonly BrokenRow[], undefined> {
    const broken: K[] = []
    let seen = 0
    this.#rows.beginDump()
    for (const value of dump) {
      if (this.#rows.sees(value, value)) broken.push(value)
      if (++seen % AT_ONCE === 0) yield
    }
    broken.push(...this.#rows.endDump())
    if (excused) return []
    return broken.map((row) => {
      const key = this.#rules.key(row)
      return { key, finding: this.#damping.undone(key, nowMs) ? 'flapping' : 'undone' }
    })
  }

  forgetActual(): void {
    this.#rows.beginDump()
    this.#rows.endDump()
  }

  reset(): void {
    this.#damping.clear()
  }

  *plan(linkIndex: number, nowMs: number, prune: boolean): Iterable<PlannedRow> {
    for (const cell of [...this.#rows.pendingCells]) {
      if (this.#notBeforeMs(cell) > nowMs || !this.#mayBeSent(cell, prune)) continue
      const owner = this.#rows.ownerIn(cell)
      yield new Row(this, linkIndex, cell, this.#deedFor(cell), owner)
    }
  }

  #notBeforeMs(cell: number): number {
    return this.#damping.isIdle ? 0 : this.#damping.notBeforeMs(this.keyOf(cell))
  }

  #mayBeSent(cell: number, prune: boolean): boolean {
    return this.#rows.isDesiredIn(cell) || (prune && (this.#kept.size === 0 || !this.#kept.has(this.keyOf(cell))))
  }

  #deedFor(cell: number): RowDeed {
    if (!this.#rows.isDesiredIn(cell)) return 'erase'
    return this.#outranked.size > 0 && this.#outranked.get(this.keyOf(cell)) === false ? 'erase outranked' : 'write'
  }

  keyOf(cell: number): string {
    return this.#rules.key(this.#rows.keyIn(cell))
  }

  valueFor(cell: number, deed: RowDeed): V | undefined {
    const desired = this.#rows.desiredIn(cell)
    return deed === 'erase' ? (desired === undefined ? this.#rows.actualIn(cell) : undefined) : desired
  }

  operation(linkIndex: number, deed: RowDeed, value: V): KernelOp {
    return deed === 'write' ? this.#rules.write(linkIndex, value) : this.#rules.erase(linkIndex, value)
  }

  describe(value: V): string {
    return this.#rules.describe(value)
  }

  nextAttemptMs(nowMs: number, prune: boolean): number | undefined {
    let next: number | undefined
    for (const cell of this.#rows.pendingCells) {
      if (!this.#mayBeSent(cell, prune)) continue
      const at = Math.max(nowMs, this.#notBeforeMs(cell))
      next = Math.min(next ?? at, at)
      if (next === nowMs) break // none is earlier
    }
    this.#damping.expire(nowMs)
    return next
  }

  beginWrite(): void {
    this.#writing = true
    this.#rows.hold()
    this.#reported.clear()
  }

  /** `written` is being sent for this row, or (undefined) its erasure. */
  begin(cell: number, written: V | undefined): void {
    this.#reported.delete(cell)
    this.#inFlight.set(cell, written)
  }

  endWrite(): void {
    this.#writing = false
    this.#inFlight.clear()
    this.#rows.letGo()
  }

  /** The kernel has taken a row: `written` stands there now, or nothing. What it reported meanwhile counts more than that. */
  settle(cell: number, written: V | undefined): void {
    if (!this.#damping.isIdle) this.#damping.written(this.keyOf(cell))
    if (this.#outranked.size > 0) this.#settleOutranked(this.keyOf(cell), written === undefined)
    if (this.#reported.size > 0 && this.#reported.has(cell)) return
    this.#rows.setActualIn(cell, written)
    this.#inFlight.delete(cell) // what is known to stand there tells an echo as well
  }

  #settleOutranked(key: string, isErased: boolean): void {
    if (!isErased) this.#outranked.delete(key)
    else if (this.#outranked.has(key)) this.#outranked.set(key, true)
  }

  /** @returns how often in a row the kernel has refused it, counting this one */
  refuse(cell: number, error: KernelError, nowMs: number): number {
    return this.#damping.refused(this.keyOf(cell), error, nowMs)
  }

  isOutranked(cell: number): boolean {
    const key = this.keyOf(cell)
    if (this.#outranked.delete(key)) return false
    this.#outranked.set(key, false)
    return true
  }

  /** Something has changed that the kernel refuses rows like these for. @returns whether there are any */
  retryRefused(isMeant: (desired: V) => boolean = () => true): boolean {
    if (this.#damping.isIdle) return false
    const meant = new Set<string>()
    for (const cell of this.#rows.pendingCells) {
      const desired = this.#rows.desiredIn(cell)
      if (desired !== undefined && isMeant(desired)) meant.add(this.#rules.key(desired))
    }
    return this.#damping.retryRefused((key) => meant.has(key))
  }

  *pendingRows(): Generator<PendingRow> {
    const rules = this.#rules
    for (const cell of this.#rows.pendingCells) {
      const [desired, actual] = [this.#rows.desiredIn(cell), this.#rows.actualIn(cell)]
      const value = desired ?? actual
      if (value === undefined) continue
      const notBeforeMs = this.#notBeforeMs(cell)
      yield {
        table: rules.name,
        get key() {
          return rules.key(value)
        },
        get row() {
          return rules.show(value)
        },
        peer: this.#rows.ownerIn(cell),
        why: this.#why(cell, desired, actual),
        untilMs: notBeforeMs === 0 ? undefined : notBeforeMs,
      }
    }
  }

  *refusedRows(): Generator<PendingRow> {
    if (this.#damping.isIdle) return
    for (const row of this.pendingRows()) if (row.why.is === 'refused') yield row
  }

  *pendingOwners(): Generator<string> {
    for (const cell of this.#rows.pendingCells) {
      const owner = this.#rows.ownerIn(cell)
      if (owner !== undefined) yield owner
    }
  }

  #why(cell: number, desired: V | undefined, actual: V | undefined): Why {
    if (this.#damping.isIdle && this.#kept.size + this.#outranked.size === 0)
      return this.#whyUntroubled(desired, actual)
    const key = this.keyOf(cell)
    const trouble = this.#damping.troubleOf(key)
    if (trouble !== undefined) return trouble
    if (desired === undefined && this.#kept.has(key)) return { is: 'waiting', for: 'the way that its peer has now' }
    if (desired !== undefined && this.#outranked.get(key) === false)
      return { is: 'waiting', for: 'another of the same key to be erased' }
    return this.#whyUntroubled(desired, actual)
  }

  #whyUntroubled(desired: V | undefined, actual: V | undefined): Why {
    if (desired === undefined) return { is: 'surplus' }
    return actual === undefined ? { is: 'missing' } : { is: 'differs', actual: this.#rules.show(actual) }
  }
}
