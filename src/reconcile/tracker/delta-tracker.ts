import { octets, withRoom } from '../../columns/grow.ts'
import { NumberQueue } from '../../columns/number-queue.ts'
import { ObjectCells, type Cells } from './cells.ts'

/** One key whose desired and actual values differ; an absent value means "should not be there" or "is not there". */
export interface Delta<K, V> {
  readonly key: K
  readonly desired: V | undefined
  /** Who wants it so, as given with the desired value. */
  readonly owner: string | undefined
  readonly actual: V | undefined
}

/** What is known of a cell. */
const WANTED = 1
const THERE = 2
/** The dump that is being read has shown it. */
const SEEN = 4
/** It is among the differences. */
const DIFFERS = 8

/**
 * What should be, what is, and the difference between them, kept as things change: every operation costs the same whether the table
 * has ten rows or a million, and `pending` costs in proportion to what differs. Most keys have but one value, since what is there is as
 * it should be: only where it is not, the actual value is kept beside the desired one.
 */
export class DeltaTracker<K, V> {
  /** One for each key that has a desired or an actual value: the desired one, if there is one. */
  readonly #cells: Cells<K, V>
  #known = octets(0)
  readonly #owners: (string | undefined)[] = []
  /** Actual values that differ from the desired ones. */
  readonly #differing = new Map<number, V>()
  readonly #pending = new NumberQueue()
  #desiredSize = 0
  /** Cells that are empty, and keep their numbers for now; undefined: numbers are given again at once. */
  #emptied: Set<number> | undefined

  /** @param cells where keys and values are kept, or which values come to the same, if they are kept as they are */
  constructor(cells: Cells<K, V> | ((a: V, b: V) => boolean)) {
    this.#cells = typeof cells === 'function' ? new ObjectCells(cells) : cells
  }

  get desiredSize(): number {
    return this.#desiredSize
  }

  get pendingSize(): number {
    return this.#pending.size
  }

  desired(key: K): V | undefined {
    return this.desiredIn(this.#cells.find(key))
  }

  actual(key: K): V | undefined {
    return this.actualIn(this.#cells.find(key))
  }

  owner(key: K): string | undefined {
    return this.ownerIn(this.#cells.find(key))
  }

  isDesired(key: K): boolean {
    return this.#is(this.#cells.find(key), WANTED)
  }

  isActual(key: K): boolean {
    return this.#is(this.#cells.find(key), THERE)
  }

  isPending(key: K): boolean {
    return this.#is(this.#cells.find(key), DIFFERS)
  }

  /** Whether there is a desired value, and it comes to the same as this. */
  wants(key: K, value: V): boolean {
    const cell = this.#cells.find(key)
    return this.#is(cell, WANTED) && this.#cells.isSame(cell, value)
  }

  /** All actual values. */
  *actuals(): Generator<V> {
    for (let cell = 0; cell < this.#cells.end; cell++) {
      const actual = this.actualIn(cell)
      if (actual !== undefined) yield actual
    }
  }

  setDesired(key: K, value: V, owner?: string): void {
    const cell = this.#cells.add(key)
    const actual = this.#isSettled(cell) && this.#cells.isSame(cell, value) ? value : this.actualIn(cell)
    if (!this.#is(cell, WANTED)) this.#desiredSize++
    this.#cells.write(cell, value)
    this.#owners[cell] = owner
    this.#mark(cell, WANTED, true)
    if (actual === undefined) this.#judge(cell)
    else this.#setActual(cell, actual)
  }

  deleteDesired(key: K): void {
    const cell = this.#cells.find(key)
    if (!this.#is(cell, WANTED)) return
    this.#desiredSize--
    const actual = this.#differing.get(cell)
    if (actual !== undefined) this.#cells.write(cell, actual)
    this.#differing.delete(cell)
    this.#owners[cell] = undefined
    this.#mark(cell, WANTED, false)
    this.#judge(cell)
  }

  setActual(key: K, value: V): void {
    this.#setActual(this.#cells.add(key), value)
  }

  deleteActual(key: K): void {
    const cell = this.#cells.find(key)
    if (this.#is(cell, THERE)) this.#deleteActual(cell)
  }

  #setActual(cell: number, value: V): void {
    if (!this.#is(cell, WANTED)) this.#cells.write(cell, value)
    else if (this.#cells.isSame(cell, value)) this.#differing.delete(cell)
    else this.#differing.set(cell, value)
    this.#mark(cell, THERE, true)
    this.#judge(cell)
  }

  #deleteActual(cell: number): void {
    this.#differing.delete(cell)
    this.#mark(cell, THERE, false)
    this.#judge(cell)
  }

  /**
   * Replaces all that is known of the actual state by a complete dump, in which the first value of a key counts.
   * @returns the keys whose desired value was there before, and no longer is
   */
  replaceActual(dump: Iterable<readonly [K, V]>): readonly K[] {
    const broken: K[] = []
    this.beginDump()
    for (const [key, value] of dump) if (this.sees(key, value)) broken.push(key)
    return [...broken, ...this.endDump()]
  }

  /** A dump of the actual state begins: whatever {@link sees} is not told of until {@link endDump} is no longer there. */
  beginDump(): void {
    for (let cell = 0; cell < this.#cells.end; cell++) this.#mark(cell, SEEN, false)
  }

  /** The dump shows this. The first value of a key counts. @returns whether that breaks what was as desired */
  sees(key: K, value: V): boolean {
    const cell = this.#cells.add(key)
    if (this.#is(cell, SEEN)) return false
    this.#mark(cell, SEEN, true)
    const wasSettled = this.#isSettled(cell)
    if (wasSettled && this.#cells.isSame(cell, value)) return false
    this.#setActual(cell, value)
    return wasSettled
  }

  /** @returns the keys whose desired value was there before the dump, which has not shown it */
  endDump(): readonly K[] {
    const broken: K[] = []
    for (let cell = 0; cell < this.#cells.end; cell++) {
      if (!this.#is(cell, THERE) || this.#is(cell, SEEN)) continue
      if (this.#isSettled(cell)) broken.push(this.#cells.key(cell))
      this.#deleteActual(cell)
    }
    return broken
  }

  /** The differences, in the order in which they arose. Must not be modified while iterating. */
  *pending(): Generator<Delta<K, V>> {
    for (const cell of this.#pending)
      yield {
        key: this.#cells.key(cell),
        desired: this.desiredIn(cell),
        owner: this.ownerIn(cell),
        actual: this.actualIn(cell),
      }
  }

  /** The numbers of the cells that differ, in the same order. */
  get pendingCells(): Iterable<number> {
    return this.#pending
  }

  /** The number of the cell of a key; -1: there is none. It is valid until the cell is empty. */
  cellOf(key: K): number {
    return this.#cells.find(key)
  }

  keyIn(cell: number): K {
    return this.#cells.key(cell)
  }

  desiredIn(cell: number): V | undefined {
    return this.#is(cell, WANTED) ? this.#cells.read(cell) : undefined
  }

  actualIn(cell: number): V | undefined {
    return this.#is(cell, THERE) ? (this.#differing.get(cell) ?? this.#cells.read(cell)) : undefined
  }

  ownerIn(cell: number): string | undefined {
    return cell < 0 ? undefined : this.#owners[cell]
  }

  isDesiredIn(cell: number): boolean {
    return this.#is(cell, WANTED)
  }

  isActualIn(cell: number): boolean {
    return this.#is(cell, THERE)
  }

  /** What is there now is this (undefined: nothing is). The cell must not have been empty since its number was asked for. */
  setActualIn(cell: number, value: V | undefined): void {
    if (value === undefined) this.#deleteActual(cell)
    else this.#setActual(cell, value)
  }

  /** Numbers of cells stay valid, though they may be empty, until {@link letGo}. */
  hold(): void {
    this.#emptied ??= new Set()
  }

  letGo(): void {
    const emptied = this.#emptied ?? []
    this.#emptied = undefined
    for (const cell of emptied) this.#judge(cell)
  }

  #is(cell: number, what: number): boolean {
    return cell >= 0 && ((this.#known[cell] ?? 0) & what) !== 0
  }

  #isSettled(cell: number): boolean {
    return cell >= 0 && ((this.#known[cell] ?? 0) & (WANTED | THERE | DIFFERS)) === (WANTED | THERE)
  }

  #mark(cell: number, what: number, is: boolean): void {
    this.#known = withRoom(this.#known, cell, octets)
    const before = this.#known[cell] ?? 0
    this.#known[cell] = is ? before | what : before & ~what
  }

  #judge(cell: number): void {
    const isWanted = this.#is(cell, WANTED)
    const isThere = this.#is(cell, THERE)
    this.#count(cell, isWanted && isThere ? this.#differing.has(cell) : isWanted || isThere)
    if (isWanted || isThere) return
    if (this.#emptied !== undefined) this.#emptied.add(cell)
    else this.#remove(cell)
  }

  /** Among the differences, or not. One that stays there keeps its place. */
  #count(cell: number, differs: boolean): void {
    if (this.#is(cell, DIFFERS) === differs) return
    this.#mark(cell, DIFFERS, differs)
    if (differs) this.#pending.add(cell)
    else this.#pending.delete(cell)
  }

  #remove(cell: number): void {
    this.#mark(cell, SEEN, false)
    this.#cells.remove(cell)
  }
}
