import { backoffMs, type BackoffSpec } from '../../time/backoff.ts'
import type { Clock, Random } from '../../time/clock.ts'

/** At most 4.2 s, so that an etcd that is back has been found, and followed, within 5 s. */
export const RECONNECT: BackoffSpec = { firstMs: 100, mostMs: 3_000, jitter: 0.4 }

/** A stream that lived for less, in milliseconds, does not show that the next one will: some proxies end them one after the other. */
const STEADY_AFTER_MS = 5_000
/** It counts for so many that could not be opened. */
const FAILURES_OF_UNSTEADY = 2

/** How long to wait for the next stream. */
export class Reconnection {
  readonly #clock: Clock
  readonly #random: Random
  /** Streams in a row that failed before they stood, or soon after. */
  #failures = 0
  #openedAtMs: number | undefined

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock
    this.#random = random
  }

  opened(): void {
    this.#openedAtMs = this.#clock.monotonicMs()
    this.#failures = Math.min(this.#failures, FAILURES_OF_UNSTEADY)
  }

  /** A stream has ended, or could not be opened: waits before the next one, or until `signal` aborts. */
  async pause(signal: AbortSignal): Promise<void> {
    const livedMs = this.#openedAtMs === undefined ? 0 : this.#clock.monotonicMs() - this.#openedAtMs
    if (livedMs >= STEADY_AFTER_MS) this.#failures = 0
    this.#openedAtMs = undefined
    this.#failures += 1
    await this.#clock.sleep(backoffMs(RECONNECT, this.#failures, this.#random), signal)
  }
}
