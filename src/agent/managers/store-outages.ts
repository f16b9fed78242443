import type { StoreError, WatchStatus } from '../../lease/store.ts'
import type { AgentCounts } from '../../counts/agent-counts.ts'
import type { ConditionReports } from '../runtime/conditions.ts'

/** Said once for each, whatever it comes from at first. */
const OUTAGE = 'out of reach'
/** However often the connection comes and goes, that is said this often at most, in milliseconds. */
const SAID_EVERY_MS = 7_000
/** The same reason, as long as an outage lasts, in milliseconds. */
const ANOTHER_REASON_EVERY_MS = 600_000
const FORWARDING = '; forwarding goes on as it is'

export interface StoreOutagesInput {
  /** The name of the store, and of the condition: `etcd`. */
  readonly store: string
  readonly conditions: ConditionReports
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
    this.#input.conditions.holds(this.#input.store)
    this.#input.counts.store.reconnects++
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
    const { store, conditions, isForwarding } = this.#input
    const { message } = error
    conditions.fails(store, `is out of reach: ${message}`, 'degraded', {
      error,
      says: `${store} is out of reach: ${message}${isForwarding() ? FORWARDING : ''}`,
      saysHolds: `${store} answers again`,
      subject: this.#subject,
      repeats: false,
      againMs,
      atOnce: 1,
    })
  }
}

const rootOf = ({ root, code }: StoreError): string => root ?? code
