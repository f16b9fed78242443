import type { Random } from './clock.ts'
import { backoffMs, type BackoffSpec } from './backoff.ts'

/** Delays for what is refused, or what somebody keeps undoing. */
const BACKOFF: BackoffSpec = { firstMs: 1_000, mostMs: 60_000, jitter: 0.2 }
/** Undone this often without a quiet minute between, a row is flapping. */
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
  readonly countedMs: number
}

/** `times`: refused so often in a row, or undone so often without a quiet minute between. */
export type RowTrouble<Refusal> =
  | { readonly is: 'refused'; readonly error: Refusal; readonly times: number }
  | { readonly is: 'flapping'; readonly times: number }

/** The time a row spent waiting for us was no quiet time: that counts from when it could be written again. */
const lastOf = ({ lastMs, notBeforeMs }: Trouble<unknown>): number => Math.max(lastMs, notBeforeMs)

const NO_TROUBLE: Trouble<never> = { failures: 0, undone: 0, lastMs: -Infinity, notBeforeMs: 0, countedMs: -Infinity }

/**
 * How long to leave each row alone: one that is refused, or that somebody keeps undoing, is written ever more slowly. A row is a row of
 * a kernel table, or whatever else can be undone; `Refusal` is the error it is refused with. Rows without trouble take no memory and no
 * time; one row's trouble never delays another.
 */
export class Damping<Refusal extends Error = never> {
  readonly #random: Random
  readonly #onceWithinMs: number
  readonly #troubles = new Map<string, Trouble<Refusal>>()

  /** What is undone again within `onceWithinMs` counts once, as long as it does not flap. */
  constructor(random: Random, onceWithinMs = 0) {
    this.#random = random
    this.#onceWithinMs = onceWithinMs
  }

  /** Whether no row has any trouble. */
  get isIdle(): boolean {
    return this.#troubles.size === 0
  }

  /** When the row may be written again, on the monotonic clock; 0 when at once. */
  notBeforeMs(row: string): number {
    return this.#troubles.get(row)?.notBeforeMs ?? 0
  }

  /** The kernel refused the row. @returns how often in a row, counting this one */
  refused(row: string, refusal: Refusal, nowMs: number): number {
    const trouble = this.#troubles.get(row) ?? NO_TROUBLE
    const failures = trouble.failures + 1
    const delayMs = backoffMs(BACKOFF, failures, this.#random)
    this.#troubles.set(row, { ...trouble, failures, refusal, lastMs: nowMs, notBeforeMs: nowMs + delayMs })
    return failures
  }

  /** What is wrong with the row: it has been refused, and not taken since, or it flaps. Undefined: neither. */
  troubleOf(row: string): RowTrouble<Refusal> | undefined {
    const { refusal: error, failures, undone } = this.#troubles.get(row) ?? NO_TROUBLE
    if (error !== undefined) return { is: 'refused', error, times: failures }
    return undone > HEALS_AT_ONCE ? { is: 'flapping', times: undone } : undefined
  }

  /**
   * What the kernel refuses may be right by now: refused rows wait no longer. How often they were refused still counts.
   * @returns whether there are any
   */
  retryRefused(isMeant: (row: string) => boolean = () => true): boolean {
    const refused = [...this.#troubles].filter(([row, { failures }]) => failures > 0 && isMeant(row))
    for (const [row, trouble] of refused) this.#troubles.set(row, { ...trouble, notBeforeMs: 0 })
    return refused.length > 0
  }

  /** The row was as desired, and somebody changed it. @returns whether it flaps, and is to be answered slowly */
  undone(row: string, nowMs: number): boolean {
    const known = this.#troubles.get(row) ?? NO_TROUBLE
    if (nowMs - known.countedMs < this.#onceWithinMs && known.undone <= HEALS_AT_ONCE) {
      this.#troubles.set(row, { ...known, failures: 0, refusal: undefined, lastMs: nowMs, notBeforeMs: 0 })
      return false
    }
    const undone = nowMs - lastOf(known) > QUIET_MS ? 1 : known.undone + 1
    const excess = undone - HEALS_AT_ONCE
    const delayMs = excess <= 0 ? 0 : backoffMs(BACKOFF, excess, this.#random)
    this.#troubles.set(row, {
      failures: 0,
      undone,
      lastMs: nowMs,
      notBeforeMs: delayMs === 0 ? 0 : nowMs + delayMs,
      countedMs: nowMs,
    })
    return excess > 0
  }

  /** The row was written. Flapping is remembered until a quiet minute has passed. */
  written(row: string): void {
    const trouble = this.#troubles.get(row)
    if (trouble === undefined) return
    if (trouble.undone === 0) this.#troubles.delete(row)
    else if (trouble.failures > 0 || trouble.notBeforeMs > 0)
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
