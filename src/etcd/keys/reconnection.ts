import { backoffMs, type BackoffSpec } from '../../time/backoff.ts'
import type { Clock, Random } from '../../time/clock.ts'
import type { Revision } from '../../lease/lease.ts'
import { StoreError } from '../../lease/store.ts'
import type { KeyWatchEvent } from './key.ts'

type Reset = Extract<KeyWatchEvent, { kind: 'reset' }>

/** At most 4.2 s, so that an etcd that is back has been found, and followed, within 5 s. */
export const RECONNECT: BackoffSpec = { firstMs: 100, mostMs: 3_000, jitter: 0.4 }

/** A stream that lived for less, in milliseconds, does not show that the next one will: some proxies end them one after the other. */
const STEADY_AFTER_MS = 5_000
/** It counts for so many that could not be opened. */
const FAILURES_OF_UNSTEADY = 2

/** What becomes of a watch whose stream has ended: whether there is a next one, and when. */
export class Reconnection {
  readonly #clock: Clock
  readonly #random: Random
  /** Streams in a row that failed before they stood, or soon after. */
  #failures = 0
  #openedAtMs: number | undefined
  /** Where a stream began that broke for a message that is too large. */
  #tooLargeAfter: Revision | undefined

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock
    this.#random = random
  }

  /** A change that we do not take in would break every stream that begins before it; behind it is a new list. @param after where the stream began */
  judge<Ending>(ended: Ending | StoreError, after: Revision): Ending | StoreError | Reset {
    if (!(ended instanceof StoreError) || ended.code !== 'RESOURCE_EXHAUSTED') return ended
    if (this.#tooLargeAfter === after)
      return { kind: 'reset', reason: `a change after revision ${after} is larger than any message we take` }
    this.#tooLargeAfter = after
    return ended
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
