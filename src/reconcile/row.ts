import type { KernelError, KernelOp } from '../kernel/kernel.ts'

/** One row to write or erase, with the operation that does it. */
export interface PlannedRow {
  readonly key: string
  /** The peer the row is for; rows of one peer are sent together. Undefined for rows that no peer wants. */
  readonly owner: string | undefined
  readonly op: KernelOp
  readonly erases: boolean
  describe(): string
  /** The row is being sent: until the end of the write, a report that says the same is our own echo. */
  begin(): void
  /** The kernel has taken the row as planned. What it reported meanwhile counts more than the acknowledgement. */
  settle(): void
  /** The kernel refused the row. @returns how often in a row, counting this one */
  refuse(error: KernelError, nowMs: number): number
  /** It stands already, behind another of the same key, which is to be erased first. @returns whether that is worth an attempt */
  isOutranked(): boolean
}

/** A row the kernel refused, with its own words. */
export interface RowFailure {
  readonly row: string
  readonly peer: string | undefined
  readonly error: KernelError
  /** How often in a row. */
  readonly times: number
}

/** What a row asks of the table it belongs to, by its key. */
export interface RowTable<V> {
  describe(value: V): string
  begin(key: string, written: V | undefined): void
  settle(key: string, written: V | undefined): void
  refuse(key: string, error: KernelError, nowMs: number): number
  isOutranked(key: string): boolean
}

export class Row<V> implements PlannedRow {
  readonly table: RowTable<V>
  readonly key: string
  readonly owner: string | undefined
  readonly value: V
  readonly erases: boolean
  readonly op: KernelOp

  constructor(table: RowTable<V>, key: string, owner: string | undefined, value: V, erases: boolean, op: KernelOp) {
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

  begin(): void {
    this.table.begin(this.key, this.erases ? undefined : this.value)
  }

  settle(): void {
    this.table.settle(this.key, this.erases ? undefined : this.value)
  }

  refuse(error: KernelError, nowMs: number): number {
    return this.table.refuse(this.key, error, nowMs)
  }
  isOutranked(): boolean {
    return this.table.isOutranked(this.key)
  }
}
