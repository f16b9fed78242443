import type { Random } from './clock.ts'
import { backoffMs, type BackoffSpec } from './backoff.ts'

/** Delays for a row that the kernel refuses, or that somebody keeps undoing. */
const ROW_BACKOFF: BackoffSpec = { firstMs: 1_000, mostMs: 60_000, jitter: 0.2 }
/** Undone this often without a quiet minute between, a row is being fought over. */
const HEALS_AT_ONCE = 3
const QUIET_MS = 60_000

interface Trouble<Refusal> {
  /** Refused so often in a row, and how the kernel put it last. */
  readonly failures: number
  readonly refusal?: Refusal | undefined
  readonly undone: number
  readonly lastMs: number
  readonly notBeforeMs: number
  /** When that began which counted as undone last. */
  readonly deedMs: number
}

/** The time a row spent waiting for us was no quiet time: that counts from when it could be written again. */
const lastOf = ({ lastMs, notBeforeMs }: Trouble<unknown>): number => Math.max(lastMs, notBeforeMs)

const NO_TROUBLE: Trouble<never> = { failures: 0, undone: 0, lastMs: -Infinity, notBeforeMs: 0, deedMs: -Infinity }

/**
 * How long to leave each row alone. `Refusal` is the error that a row is refused with. Rows without trouble take no memory and no time; one row's trouble never delays another.
 */
export class RowPatience<Refusal extends Error = never> {
  readonly #random: Random
  readonly #oneDeedMs: number
  readonly #troubles = new Map<string, Trouble<Refusal>>()

  /** What is undone again within `oneDeedMs` counts once, as long as nobody fights. */
  constructor(random: Random, oneDeedMs = 0) {
    this.#random = random
    this.#oneDeedMs = oneDeedMs
  }

  /** When the row may be written again, on the monotonic clock; 0 when at once. */
  notBeforeMs(row: string): number {
    return this.#troubles.get(row)?.notBeforeMs ?? 0
  }

  /** The kernel refused the row. @returns how often in a row, counting this one */
  refused(row: string, refusal: Refusal, nowMs: number): number {
    const trouble = this.#troubles.get(row) ?? NO_TROUBLE
    const failures = trouble.failures + 1
    const delayMs = backoffMs(ROW_BACKOFF, failures, this.#random)
    this.#troubles.set(row, { ...trouble, failures, refusal, lastMs: nowMs, notBeforeMs: nowMs + delayMs })
    return failures
  }

  /** Rows that the kernel has refused, and not taken since. Costs in proportion to the rows in trouble. */
  *refusals(): Generator<{ readonly row: string; readonly error: Refusal; readonly times: number }> {
    for (const [row, { refusal: error, failures: times }] of this.#troubles) if (error) yield { row, error, times }
  }

  /** What the kernel refuses may be right by now: refused rows wait no longer. How often they were refused still counts. */
  retryRefused(): void {
    for (const [row, trouble] of this.#troubles)
      if (trouble.failures > 0) this.#troubles.set(row, { ...trouble, notBeforeMs: 0 })
  }

  /** The row was as desired, and somebody changed it. @returns whether that makes it a fight, to be answered slowly */
  undone(row: string, nowMs: number): boolean {
    const known = this.#troubles.get(row) ?? NO_TROUBLE
    if (nowMs - known.deedMs < this.#oneDeedMs && known.undone <= HEALS_AT_ONCE) {
      this.#troubles.set(row, { ...known, failures: 0, refusal: undefined, lastMs: nowMs, notBeforeMs: 0 })
      return false
    }
    const undone = nowMs - lastOf(known) > QUIET_MS ? 1 : known.undone + 1
    const fights = undone - HEALS_AT_ONCE
    const delayMs = fights <= 0 ? 0 : backoffMs(ROW_BACKOFF, fights, this.#random)
    this.#troubles.set(row, {
      failures: 0,
      undone,
      lastMs: nowMs,
      notBeforeMs: delayMs === 0 ? 0 : nowMs + delayMs,
      deedMs: nowMs,
    })
    return fights > 0
  }

  /** The row was written. A fight is remembered until a quiet minute has passed. */
  written(row: string): void {
    const trouble = this.#troubles.get(row)
    if (trouble === undefined) return
    if (trouble.undone === 0) this.#troubles.delete(row)
    else
      this.#troubles.set(row, { ...trouble, failures: 0, refusal: undefined, lastMs: lastOf(trouble), notBeforeMs: 0 })
  }

  /** Something else is to stand in this row: what happened to the former value says nothing about it. */
  forget(row: string): void {
    this.#troubles.delete(row)
  }

  /** Forgets what has been quiet long enough. */
  expire(nowMs: number): void {
    for (const [row, trouble] of this.#troubles) if (nowMs - lastOf(trouble) > QUIET_MS) this.#troubles.delete(row)
  }

  clear(): void {
    this.#troubles.clear()
  }
}
