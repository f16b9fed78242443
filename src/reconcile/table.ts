import type { Random } from '../time/clock.ts'
import { DeltaTracker } from './delta-tracker.ts'
import type { KernelError } from '../kernel/kernel.ts'
import type { PendingRow, Why } from './pending-row.ts'
import { Row, type PlannedRow } from './row.ts'
import type { ShownRow } from './shown-row.ts'
import { Damping } from '../time/damping.ts'
import type { TableRules } from './table-rules.ts'

/*
 * One kernel table of one link: the rows that should be there, the rows that are, and how patient to be with each. It is handed the
 * table's rules (row-rules.ts), what peers want and what the kernel says. LinkTables keeps one for each table; planRows asks it for rows.
 */

/** What a report says of a row: nothing new or our own doing; that somebody undid it; that somebody keeps undoing it. */
export type Finding = 'quiet' | 'undone' | 'flapping'

/** A table as the planner sees it, whatever its rows look like. */
export interface PlannedTable {
  readonly name: PendingRow['table']
  readonly desiredSize: number
  readonly pendingSize: number
  /** Rows to send now: those that differ and need not wait. Without `prune` nothing is erased. */
  plan(linkIndex: number, nowMs: number, prune: boolean): Iterable<PlannedRow>
  /** Earliest time at which a row held back may be written, on the monotonic clock; undefined when none is held back. */
  nextAttemptMs(nowMs: number, prune: boolean): number | undefined
  /** Between the two, note for which rows the kernel tells us of a change. */
  beginWrite(): void
  endWrite(): void
  /** Nothing is known of the actual rows (the device is new, or gone). */
  forgetActual(): void
  /** What held rows back is over (the device was mended): none of them waits any longer. */
  reset(): void
  /** Rows that are not as they should be. A pure look, whose cost is in proportion to them; the text of each is made when asked for. */
  pendingRows(): Iterable<PendingRow>
}

/** One command may undo a row several times: `ip neighbour flush` goes on in rounds, up to ten, for as long as it finds anything. */
const ONCE_WITHIN_MS = 250

/** Desired and actual rows of one kernel table on our device, who wants them, and how patient to be with each. */
export class Table<V> implements PlannedTable {
  readonly #rules: TableRules<V>
  readonly #rows: DeltaTracker<string, V>
  readonly #damping: Damping<KernelError>
  /** Rows the kernel reported on while a write was under way: there its report is newer than our acknowledgement may be. */
  readonly #reported = new Set<string>()
  /** What is being written (undefined: erased) at this moment, by key. A report that says the same is our own echo. */
  readonly #inFlight = new Map<string, V | undefined>()
  /** Rows that stand behind another of the same key, and whether that has been erased. */
  readonly #outranked = new Map<string, boolean>()
  /** Rows that are not erased though nobody wants them, nor written when they are not there. */
  readonly #kept = new Set<string>()
  #writing = false

  constructor(rules: TableRules<V>, random: Random) {
    this.#rules = rules
    this.#rows = new DeltaTracker((a, b) => rules.same(a, b))
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

  desired(key: string): V | undefined {
    return this.#rows.desired(key)
  }

  actuals(): Iterable<V> {
    return this.#rows.actuals()
  }

  actual(key: string): V | undefined {
    return this.#rows.actual(key)
  }

  /** A row that a peer wants, as people are shown it. */
  shown(value: V): ShownRow {
    return { table: this.#rules.name, row: this.#rules.show(value), isInKernel: this.isSettled(value) }
  }

  /** Whether the row stands as it is wanted. */
  isSettled(value: V): boolean {
    const key = this.#rules.key(value)
    return this.#rows.desired(key) !== undefined && !this.#rows.isPending(key)
  }

  /** The row is known to be there no more, by nobody's fault. */
  forgetRow(value: V): void {
    this.#rows.deleteActual(this.#rules.key(value))
  }

  /** Replaces the rows that `owner` wants by others; either may be none. */
  change(owner: string, before: readonly V[], after: readonly V[]): void {
    const kept = new Set(after.map((value) => this.#rules.key(value)))
    for (const value of before) if (!kept.has(this.#rules.key(value))) this.unwant(owner, value)
    for (const value of after) this.want(owner, value)
  }

  /** Another value than before is written at once, however long the former one would have had to wait. */
  want(owner: string, value: V): void {
    const key = this.#rules.key(value)
    const before = this.#rows.desired(key)
    if (before === undefined || !this.#rules.same(before, value)) this.#damping.forget(key)
    this.#rows.setDesired(key, value, owner)
  }

  /** Gives up a row, unless it has passed to another owner. */
  unwant(owner: string, value: V): void {
    const key = this.#rules.key(value)
    if (this.#rows.owner(key) !== owner) return
    this.#damping.forget(key)
    this.#rows.deleteDesired(key)
  }

  /** Nobody wants these rows, and what stands of them is to stay for now; or (`isKept` false) may go. */
  keep(rows: readonly V[], isKept: boolean): void {
    for (const row of rows)
      if (isKept) this.#kept.add(this.#rules.key(row))
      else this.#kept.delete(this.#rules.key(row))
  }

  /** Whether the row is known to stand, or is being written. */
  mayStand(value: V): boolean {
    const key = this.#rules.key(value)
    return this.#rows.actual(key) !== undefined || this.#inFlight.get(key) !== undefined
  }

  /**
   * The kernel says that the row of this key now is `value` (undefined: is no more).
   * @param excused the device itself has changed: nobody is to blame for what rows it takes with it
   * @returns `undone` when that breaks a row that was as desired, `flapping` when it keeps being broken
   */
  observe(key: string, value: V | undefined, nowMs: number, excused = false): Finding {
    const wasSettled = !this.#rows.isPending(key)
    if (this.#writing) this.#reported.add(key)
    this.#setActual(key, value)
    if (excused || !wasSettled || !this.#rows.isPending(key) || this.#isEcho(key, value)) return 'quiet'
    return this.#damping.undone(key, nowMs) ? 'flapping' : 'undone'
  }

  #setActual(key: string, value: V | undefined): void {
    if (value === undefined) this.#rows.deleteActual(key)
    else this.#rows.setActual(key, value)
  }

  #isEcho(key: string, value: V | undefined): boolean {
    if (!this.#inFlight.has(key)) return false
    const written = this.#inFlight.get(key)
    return value === undefined || written === undefined ? value === written : this.#rules.same(value, written)
  }

  /**
   * Replaces what is known by a complete dump.
   * @param excused as for {@link observe}
   * @returns the rows that were as desired and no longer are, as {@link observe} judges them
   */
  replaceActual(
    dump: readonly V[],
    nowMs: number,
    excused = false,
  ): readonly { readonly key: string; readonly finding: Finding }[] {
    const broken = this.#rows.replaceActual(dump.map((value) => [this.#rules.key(value), value] as const))
    if (excused) return []
    return broken.map((key) => ({ key, finding: this.#damping.undone(key, nowMs) ? 'flapping' : 'undone' }))
  }

  forgetActual(): void {
    this.#rows.replaceActual([])
  }

  reset(): void {
    this.#damping.clear()
  }

  *plan(linkIndex: number, nowMs: number, prune: boolean): Iterable<PlannedRow> {
    for (const { key, desired, owner, actual } of this.#rows.pending()) {
      if (this.#damping.notBeforeMs(key) > nowMs || (desired === undefined && !this.#mayGo(key, prune))) continue
      const row = this.#planRow(linkIndex, key, owner, desired, actual)
      if (row !== undefined) yield row
    }
  }

  #mayGo(key: string, prune: boolean): boolean {
    return prune && !this.#kept.has(key)
  }

  #planRow(
    linkIndex: number,
    key: string,
    owner: string | undefined,
    desired: V | undefined,
    actual: V | undefined,
  ): PlannedRow | undefined {
    if (desired !== undefined && this.#outranked.get(key) === false)
      return new Row(this, key, owner, desired, true, this.#rules.erase(linkIndex, desired))
    if (desired !== undefined) return new Row(this, key, owner, desired, false, this.#rules.write(linkIndex, desired))
    return actual && new Row(this, key, owner, actual, true, this.#rules.erase(linkIndex, actual))
  }

  describe(value: V): string {
    return this.#rules.describe(value)
  }

  nextAttemptMs(nowMs: number, prune: boolean): number | undefined {
    let next: number | undefined
    for (const { key, desired } of this.#rows.pending()) {
      if (desired === undefined && !this.#mayGo(key, prune)) continue
      const at = Math.max(nowMs, this.#damping.notBeforeMs(key))
      next = Math.min(next ?? at, at)
    }
    this.#damping.expire(nowMs)
    return next
  }

  beginWrite(): void {
    this.#writing = true
    this.#reported.clear()
  }

  /** `written` is being sent for this row, or (undefined) its erasure. */
  begin(key: string, written: V | undefined): void {
    this.#inFlight.set(key, written)
  }

  endWrite(): void {
    this.#writing = false
    this.#inFlight.clear()
  }

  /** The kernel has taken a row: `written` stands there now, or nothing. What it reported meanwhile counts more than that. */
  settle(key: string, written: V | undefined): void {
    this.#damping.written(key)
    if (written !== undefined) this.#outranked.delete(key)
    else if (this.#outranked.has(key)) this.#outranked.set(key, true)
    if (!this.#reported.has(key)) this.#setActual(key, written)
  }

  /** @returns how often in a row the kernel has refused it, counting this one */
  refuse(key: string, error: KernelError, nowMs: number): number {
    return this.#damping.refused(key, error, nowMs)
  }

  isOutranked(key: string): boolean {
    if (this.#outranked.delete(key)) return false
    this.#outranked.set(key, false)
    return true
  }

  /** Something has changed that the kernel refuses rows like these for. @returns whether there are any */
  retryRefused(isMeant: (desired: V) => boolean = () => true): boolean {
    return this.#damping.retryRefused((key) => {
      const desired = this.#rows.desired(key)
      return desired !== undefined && isMeant(desired)
    })
  }

  *pendingRows(): Generator<PendingRow> {
    const rules = this.#rules
    for (const { key, desired, owner, actual } of this.#rows.pending()) {
      const value = desired ?? actual
      if (value === undefined) continue
      const notBeforeMs = this.#damping.notBeforeMs(key)
      yield {
        table: rules.name,
        key,
        get row() {
          return rules.show(value)
        },
        peer: owner,
        why: this.#why(key, desired, actual),
        untilMs: notBeforeMs === 0 ? undefined : notBeforeMs,
      }
    }
  }

  #why(key: string, desired: V | undefined, actual: V | undefined): Why {
    const trouble = this.#damping.troubleOf(key)
    if (trouble !== undefined) return trouble
    if (desired === undefined && this.#kept.has(key)) return { is: 'waiting', for: 'the way that its peer has now' }
    if (desired === undefined) return { is: 'surplus' }
    if (this.#outranked.get(key) === false) return { is: 'waiting', for: 'another of the same key to be erased' }
    return actual === undefined ? { is: 'missing' } : { is: 'differs', actual: this.#rules.show(actual) }
  }
}
