import type { StoreError, WatchStatus } from '../../lease/store.ts'
import type { AgentCounts } from '../../counts/agent-counts.ts'
import type { FailsOptions } from '../runtime/conditions.ts'
import type { Clock } from '../../time/clock.ts'

/** Said once for each, whatever it comes from at first. */
const OUTAGE = 'out of reach'
/** However often the connection comes and goes, that is said this often at most, in milliseconds. */
const SAID_EVERY_MS = 7_000
/** The same reason, as long as an outage lasts, in milliseconds. */
const ANOTHER_REASON_EVERY_MS = 600_000
/** What is said behind it where it does. */
export const FORWARDING = '; forwarding goes on as it is'

/** Reports an outage in the words of its store. */
export interface OutageCondition {
  /** @param isForwarding whether there is anything that goes on @param options how often that is said */
  readonly away: (error: StoreError, isForwarding: boolean, options: FailsOptions) => void
  readonly back: () => void
}

export interface StoreOutagesInput {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** What the outage is called, as a condition of this node. */
  readonly condition: OutageCondition
  readonly counts: Pick<AgentCounts, 'store'>
  /** Called whenever a lost connection is back. */
  readonly onBack: () => void
  /** Whether there is anything that an outage leaves as it is. */
  readonly isForwarding: () => boolean
}

/** Hears from the watch of a store that it is out of reach, and that it is back: a condition of this node. */
export class StoreOutages implements WatchStatus {
  readonly #input: StoreOutagesInput
  #isAway = false
  /** What the outage comes from, as was heard last. */
  #root = ''
  #subject = OUTAGE

  constructor(input: StoreOutagesInput) {
    this.#input = input
  }

  onConnected(): void {
    if (!this.#isAway) return
    this.#isAway = false
    this.#input.condition.back()
    const { clock, counts } = this.#input
    counts.store.reconnects++
    counts.store.changedMs = clock.monotonicMs()
    this.#input.onBack()
  }

  onDisconnected(error: StoreError): void {
    this.#isAway = true
    this.#root = rootOf(error)
    this.#subject = OUTAGE
    this.#report(error, SAID_EVERY_MS)
  }

  /** Another reason than the one before is said as well: the first may be no more than that the connection broke. */
  onStillAway(error: StoreError): void {
    const root = rootOf(error)
    if (root !== this.#root) this.#subject = root
    this.#root = root
    this.#report(error, ANOTHER_REASON_EVERY_MS)
  }

  #report(error: StoreError, againMs: number): void {
    const { condition, isForwarding } = this.#input
    const how = { error, subject: this.#subject, repeats: false, againMs, atOnce: 1 }
    condition.away(error, isForwarding(), how)
  }
}

const rootOf = ({ root, code }: StoreError): string => root ?? code
