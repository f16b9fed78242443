import { DueBuckets } from './due-buckets.ts'

/** Who is asked in turn leaves together with all others of the same second: waking costs more than asking. */
const TURN_MS = 1_000
/** The same of whom nothing is known yet, and of open questions, in milliseconds. */
const FIRST_MS = 200
const SOON_MS = 50

/** The end of the second, on the monotonic clock, in milliseconds. */
export const inTurn = (ms: number): number => Math.ceil(ms / TURN_MS) * TURN_MS

const FIRST_SIZE = 64
const NEVER = Number.POSITIVE_INFINITY

/** Which peer is to be asked when, by its number. Times are on the monotonic clock, in milliseconds. */
export class Schedule {
  /** Whom somebody waits for, in the order in which they are asked. */
  readonly #urgent = new Set<number>()
  readonly #soon = new DueBuckets(SOON_MS)
  readonly #first = new DueBuckets(FIRST_MS)
  readonly #inTurn = new DueBuckets(TURN_MS)
  /** Of each number; {@link NEVER}: not as things are. */
  #due = new Float64Array(FIRST_SIZE).fill(NEVER)

  /** Before all others. */
  now(slot: number): void {
    this.never(slot)
    this.#urgent.add(slot)
  }

  /** What is open is to be known. */
  soon(slot: number, dueMs: number): void {
    this.#set(slot, this.#soon.put(slot, dueMs))
  }

  /** Nothing is known yet. */
  first(slot: number, dueMs: number): void {
    this.#set(slot, this.#first.put(slot, dueMs))
  }

  /** All is known: a second later is no matter. */
  inTurn(slot: number, dueMs: number): void {
    this.#set(slot, this.#inTurn.put(slot, dueMs))
  }

  /** It is under way, or not to be asked at all. */
  never(slot: number): void {
    this.#set(slot, NEVER)
  }

  /** Whether it is to be asked at some time. */
  has(slot: number): boolean {
    return this.#urgent.has(slot) || (this.#due[slot] ?? NEVER) !== NEVER
  }

  get isUrgent(): boolean {
    return this.#urgent.size > 0
  }

  takeUrgent(): number | undefined {
    for (const slot of this.#urgent) {
      this.#urgent.delete(slot)
      return slot
    }
    return undefined
  }

  takeSoon(nowMs: number): number | undefined {
    return this.#taken(this.#soon.take(nowMs, this.#isDue))
  }

  takeFirst(nowMs: number): number | undefined {
    return this.#taken(this.#first.take(nowMs, this.#isDue))
  }

  takeInTurn(nowMs: number): number | undefined {
    return this.#taken(this.#inTurn.take(nowMs, this.#isDue))
  }

  /** When the first is due, of those that are not urgent. */
  get nextMs(): number {
    return Math.min(...[this.#soon, this.#first, this.#inTurn].map((buckets) => buckets.nextMs(this.#isDue)))
  }

  #taken(slot: number | undefined): number | undefined {
    if (slot !== undefined) this.never(slot)
    return slot
  }

  readonly #isDue = (slot: number, dueMs: number): boolean => this.#due[slot] === dueMs

  #set(slot: number, dueMs: number): void {
    if (slot >= this.#due.length) {
      const longer = new Float64Array(Math.max(slot + 1, Math.ceil(this.#due.length * 1.25))).fill(NEVER)
      longer.set(this.#due)
      this.#due = longer
    }
    this.#due[slot] = dueMs
    this.#urgent.delete(slot)
  }
}
