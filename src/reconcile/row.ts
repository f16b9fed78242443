import type { KernelError, KernelOp } from '../kernel/kernel.ts'

/** One row to write or erase, with the operation that does it. Rows are planned by the hundred thousand: what they say is made when asked for. */
export interface PlannedRow {
  readonly key: string
  /** The peer the row is for; rows of one peer are sent together. Undefined for rows that no peer wants. */
  readonly owner: string | undefined
  readonly op: KernelOp
  readonly erases: boolean
  describe(): string
  /**
   * The row is being sent: until the end of the write, a report that says the same is our own echo.
   * @returns whether it is still to be sent: since it was planned, it may have gone, or come to be wanted
   */
  begin(): boolean
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

/** What is to be done with a row: write it as it is wanted; erase what is there; erase what stands behind another of its key. */
export type RowDeed = 'write' | 'erase' | 'erase outranked'

/** What a row asks of the table it belongs to, by the number of its cell there. */
export interface RowTable<V> {
  keyOf(cell: number): string
  /** What the deed is done with; undefined: there is nothing to do any more. */
  valueFor(cell: number, deed: RowDeed): V | undefined
  operation(linkIndex: number, deed: RowDeed, value: V): KernelOp
  describe(value: V): string
  begin(cell: number, written: V | undefined): void
  settle(cell: number, written: V | undefined): void
  refuse(cell: number, error: KernelError, nowMs: number): number
  isOutranked(cell: number): boolean
}

export class Row<V> implements PlannedRow {
  readonly owner: string | undefined
  readonly #table: RowTable<V>
  readonly #linkIndex: number
  readonly #cell: number
  readonly #deed: RowDeed
  /** While it is being sent: what with. */
  #sent: V | undefined

  constructor(table: RowTable<V>, linkIndex: number, cell: number, deed: RowDeed, owner: string | undefined) {
    this.#table = table
    this.#linkIndex = linkIndex
    this.#cell = cell
    this.#deed = deed
    this.owner = owner
  }

  get key(): string {
    return this.#table.keyOf(this.#cell)
  }

  get erases(): boolean {
    return this.#deed !== 'write'
  }

  /** @throws {RangeError} when there is nothing to do any more */
  get #value(): V {
    const value = this.#sent ?? this.#table.valueFor(this.#cell, this.#deed)
    if (value === undefined) throw new RangeError(`there is nothing to ${this.#deed} of ${this.key}`)
    return value
  }

  get op(): KernelOp {
    return this.#table.operation(this.#linkIndex, this.#deed, this.#value)
  }

  describe(): string {
    return this.#table.describe(this.#value)
  }

  begin(): boolean {
    this.#sent = this.#table.valueFor(this.#cell, this.#deed)
    if (this.#sent === undefined) return false
    this.#table.begin(this.#cell, this.erases ? undefined : this.#sent)
    return true
  }

  settle(): void {
    this.#table.settle(this.#cell, this.erases ? undefined : this.#value)
    this.#sent = undefined
  }

  refuse(error: KernelError, nowMs: number): number {
    return this.#table.refuse(this.#cell, error, nowMs)
  }

  isOutranked(): boolean {
    return this.#table.isOutranked(this.#cell)
  }
}
