import type { Random } from '../net/clock.ts'
import { DeltaTracker } from './delta-tracker.ts'
import type { KernelOp } from './kernel.ts'
import { RowPatience } from './row-patience.ts'
import type { TableRules } from './tables.ts'

/** One row to write or erase, with the operation that does it. */
export interface PlannedRow {
  readonly key: string
  /** The peer the row is for; rows of one peer are sent together. Undefined for leftovers. */
  readonly owner: string | undefined
  readonly op: KernelOp
  readonly erases: boolean
  describe(): string
  /** The kernel has taken the row as planned. What it reported meanwhile counts more than the acknowledgement. */
  settle(): void
  /** The kernel refused the row. @returns how often in a row, counting this one */
  refuse(nowMs: number): number
}

/** A table as the planner sees it, whatever its rows look like. */
export interface PlannedTable {
  readonly name: string
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
  forgive(): void
}

/** Desired and actual rows of one kernel table on our device, who wants them, and how patient to be with each. */
export class Table<V> implements PlannedTable {
  readonly #rules: TableRules<V>
  readonly #rows: DeltaTracker<string, V>
  readonly #patience: RowPatience
  /** Rows the kernel reported on while a write was under way: there its report is newer than our acknowledgement may be. */
  readonly #reported = new Set<string>()
  #writing = false

  constructor(rules: TableRules<V>, random: Random) {
    this.#rules = rules
    this.#rows = new DeltaTracker((a, b) => rules.same(a, b))
    this.#patience = new RowPatience(random)
  }

  get name(): string {
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

  actual(key: string): V | undefined {
    return this.#rows.actual(key)
  }

  want(owner: string, value: V): void {
    this.#rows.setDesired(this.#rules.key(value), value, owner)
  }

  /** Gives up a row, unless it has passed to another owner. */
  unwant(owner: string, value: V): void {
    const key = this.#rules.key(value)
    if (this.#rows.owner(key) === owner) this.#rows.deleteDesired(key)
  }

  /**
   * The kernel says that the row of this key now is `value` (undefined: is no more).
   * @returns `undone` when that breaks a row that was as desired, `fought` when it keeps being broken
   */
  observe(key: string, value: V | undefined, nowMs: number): 'quiet' | 'undone' | 'fought' {
    const wasSettled = !this.#rows.isPending(key)
    if (this.#writing) this.#reported.add(key)
    if (value === undefined) this.#rows.deleteActual(key)
    else this.#rows.setActual(key, value)
    if (!wasSettled || !this.#rows.isPending(key)) return 'quiet'
    return this.#patience.undone(key, nowMs) ? 'fought' : 'undone'
  }

  /** Replaces what is known by a complete dump. @returns the rows that were as desired and no longer are, as {@link observe} judges them */
  replaceActual(dump: readonly V[], nowMs: number): readonly { key: string; finding: 'undone' | 'fought' }[] {
    const broken = this.#rows.replaceActual(dump.map((value) => [this.#rules.key(value), value] as const))
    return broken.map((key) => ({ key, finding: this.#patience.undone(key, nowMs) ? 'fought' : 'undone' }))
  }

  forgetActual(): void {
    this.#rows.replaceActual([])
  }

  forgive(): void {
    this.#patience.clear()
  }

  *plan(linkIndex: number, nowMs: number, prune: boolean): Iterable<PlannedRow> {
    for (const { key, desired, owner, actual } of this.#rows.pending()) {
      if (this.#patience.notBeforeMs(key) > nowMs || (desired === undefined && !prune)) continue
      const row = this.#planRow(linkIndex, key, owner, desired, actual)
      if (row !== undefined) yield row
    }
  }

  #planRow(
    linkIndex: number,
    key: string,
    owner: string | undefined,
    desired: V | undefined,
    actual: V | undefined,
  ): PlannedRow | undefined {
    if (desired !== undefined) return new Row(this, key, owner, desired, false, this.#rules.write(linkIndex, desired))
    return actual && new Row(this, key, owner, actual, true, this.#rules.erase(linkIndex, actual))
  }

  describe(value: V): string {
    return this.#rules.describe(value)
  }

  nextAttemptMs(nowMs: number, prune: boolean): number | undefined {
    let next: number | undefined
    for (const { key, desired } of this.#rows.pending()) {
      if (desired === undefined && !prune) continue
      const at = Math.max(nowMs, this.#patience.notBeforeMs(key))
      next = Math.min(next ?? at, at)
    }
    this.#patience.expire(nowMs)
    return next
  }

  beginWrite(): void {
    this.#writing = true
    this.#reported.clear()
  }

  endWrite(): void {
    this.#writing = false
  }

  /** The kernel has taken a row: `written` stands there now, or nothing. What it reported meanwhile counts more than that. */
  settle(key: string, written: V | undefined): void {
    this.#patience.written(key)
    if (this.#reported.has(key)) return
    if (written === undefined) this.#rows.deleteActual(key)
    else this.#rows.setActual(key, written)
  }

  /** @returns how often in a row the kernel has refused it, counting this one */
  refuse(key: string, nowMs: number): number {
    return this.#patience.refused(key, nowMs)
  }
}

class Row<V> implements PlannedRow {
  readonly table: Table<V>
  readonly key: string
  readonly owner: string | undefined
  readonly value: V
  readonly erases: boolean
  readonly op: KernelOp

  constructor(table: Table<V>, key: string, owner: string | undefined, value: V, erases: boolean, op: KernelOp) {
    this.table = table
    this.key = key
    this.owner = owner
    this.value = value
    this.erases = erases
    this.op = op
  }

  describe(): string {
    return this.table.describe(this.value)
  }

  settle(): void {
    this.table.settle(this.key, this.erases ? undefined : this.value)
  }

  refuse(nowMs: number): number {
    return this.table.refuse(this.key, nowMs)
  }
}
