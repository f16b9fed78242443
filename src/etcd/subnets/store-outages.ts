import type { WatchStatus } from '../../lease/store.ts'
import type { ConditionReports } from '../../agent/runtime/conditions.ts'

/** However often the connection comes and goes, that is said this often at most, in milliseconds. */
const SAID_EVERY_MS = 7_000
const FORWARDING = '; forwarding goes on as it is'

export interface StoreOutagesInput {
  readonly conditions: ConditionReports
  /** Called whenever a lost connection is back. */
  readonly onBack: () => void
  /** Whether there is anything that an outage leaves as it is. */
  readonly isForwarding: () => boolean
}

/** Hears from the watch of the leases that etcd is out of reach, and that it is back: a condition of this node. */
export class StoreOutages implements WatchStatus {
  readonly #input: StoreOutagesInput
  #isAway = false

  constructor(input: StoreOutagesInput) {
    this.#input = input
  }

  onConnected(): void {
    if (!this.#isAway) return
    this.#isAway = false
    this.#input.conditions.holds('etcd')
    this.#input.onBack()
  }

  onDisconnected({ message }: Error): void {
    const { conditions, isForwarding } = this.#input
    this.#isAway = true
    conditions.fails('etcd', `is out of reach: ${message}`, 'degraded', {
      says: `etcd is out of reach: ${message}${isForwarding() ? FORWARDING : ''}`,
      saysHolds: 'etcd answers again',
      subject: 'out of reach', // once for each outage, whatever is met while it lasts
      repeats: false,
      againMs: SAID_EVERY_MS,
      atOnce: 1,
    })
  }
}
