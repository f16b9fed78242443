import { backoffMs, type BackoffSpec } from './backoff.ts'
import type { Random } from './clock.ts'

const RETRY: BackoffSpec = { firstMs: 1_000, mostMs: 60_000, jitter: 0.3 }

/** One kind of call that may fail for a while: when it may be tried again. */
export class FailingCall {
  readonly #random: Random
  #failures = 0
  #notBeforeMs = Number.NEGATIVE_INFINITY

  constructor(random: Random) {
    this.#random = random
  }

  get isFailing(): boolean {
    return this.#failures > 0
  }

  /** On the monotonic clock. */
  get notBeforeMs(): number {
    return this.#notBeforeMs
  }

  failed(nowMs: number): void {
    this.#failures += 1
    this.#notBeforeMs = nowMs + backoffMs(RETRY, this.#failures, this.#random)
  }

  succeeded(): void {
    this.#failures = 0
    this.hurry()
  }

  /** There is reason to believe that it works now. */
  hurry(): void {
    this.#notBeforeMs = Number.NEGATIVE_INFINITY
  }
}
