import { backoffMs, type BackoffSpec } from '../time/backoff.ts'
import type { Clock, Random } from '../time/clock.ts'

/** After the second loss in a row, the third, and so on. The first costs no pause: another node has the subnet, and containers wait. */
const PAUSE: BackoffSpec = { firstMs: 1_000, mostMs: 60_000, jitter: 0.3 }
/** A lease held for this long, in milliseconds, was no part of the trouble before it. */
const HELD_MS = 300_000

/** How long to wait before the next lease where one after the other is lost: somebody takes them, and must not wear out the subnets. */
export class LossBackoff {
  readonly #clock: Clock
  readonly #random: Random
  #losses = 0
  #begunMs = 0

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock
    this.#random = random
  }

  /** Losses in a row so far. */
  get losses(): number {
    return this.#losses
  }

  /** A lease is held from now on. */
  held(): void {
    this.#begunMs = this.#clock.monotonicMs()
  }

  /** It was lost. @returns how long to wait, in milliseconds */
  lost(): number {
    const wasQuiet = this.#clock.monotonicMs() - this.#begunMs >= HELD_MS
    this.#losses = wasQuiet ? 1 : this.#losses + 1
    return this.#losses === 1 ? 0 : backoffMs(PAUSE, this.#losses - 1, this.#random)
  }
}
