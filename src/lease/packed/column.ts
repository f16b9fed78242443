/*
 * What is kept of tens of thousands of peers, each in a slot of its own, in columns of numbers: an object apiece would take ten times the
 * memory, and keep the collector busy.
 */

type Numbers = Uint8Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array

/** A column that is long enough for a slot, with what it had. */
export function grown<Column extends Numbers>(column: Column, slot: number): Column {
  if (slot < column.length) return column
  const length = Math.max(FEWEST, slot + 1, Math.floor(column.length * GROWTH))
  const bytes = new Uint8Array(length * column.BYTES_PER_ELEMENT)
  bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength))
  const make = column.constructor as new (buffer: ArrayBufferLike) => Column
  return new make(bytes.buffer)
}

const FEWEST = 16
/** Twice as long would leave half of it empty, at worst. */
const GROWTH = 1.5

/** Numbers of slots: those that were given back are given out again first. */
export class Slots {
  readonly #free: number[] = []
  #next = 0

  take(): number {
    return this.#free.pop() ?? this.#next++
  }

  giveBack(slot: number): void {
    this.#free.push(slot)
  }
}
