import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { WatchStatus } from '../../lease/store.ts'
import type { Logger } from '../../observe/logger.ts'
import type { AgentStatus } from '../runtime/status.ts'
import { isStopped, type Task } from '../runtime/task.ts'

/** However often the connection comes and goes, its state is said at most this often, in milliseconds. */
const SAY_SPACING_MS = 5_000
const FORWARDING = '; forwarding goes on as it is'
const FOR_EVER_MS = Number.MAX_SAFE_INTEGER

export interface StoreOutagesPorts {
  readonly log: Logger
  readonly status?: Pick<AgentStatus, 'trouble' | 'fine'>
}

/** Says that etcd is out of reach, and that it is back: once per outage, and rarely where there is one after the other. */
export class StoreOutages implements WatchStatus, Task {
  readonly name = 'outages of etcd'
  readonly #log: Logger
  readonly #status: Pick<AgentStatus, 'trouble' | 'fine'> | undefined
  readonly #onBack: () => void
  readonly #isForwarding: () => boolean
  readonly #changed = new Wakeup()
  /** What the connection died of; undefined while there is one. */
  #reason: string | undefined
  #isSaid = false

  /**
   * @param onBack called whenever a lost connection is back
   * @param isForwarding whether there is anything that an outage leaves as it is
   */
  constructor({ log, status }: StoreOutagesPorts, onBack: () => void, isForwarding: () => boolean) {
    this.#isForwarding = isForwarding
    this.#log = log
    this.#status = status
    this.#onBack = onBack
  }

  onConnected(): void {
    if (this.#reason === undefined) return
    this.#reason = undefined
    this.#status?.fine('etcd')
    this.#changed.ring()
    this.#onBack()
  }

  onDisconnected(error: Error): void {
    this.#reason = error.message
    this.#status?.trouble('etcd', `is out of reach: ${error.message}`, 'degraded')
    this.#changed.ring()
  }

  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      await rest(FOR_EVER_MS, this.#changed)
      if (isStopped(signal) || !this.#say()) continue
      await rest(SAY_SPACING_MS)
    }
  }

  /** @returns whether there was anything to say */
  #say(): boolean {
    if (this.#isSaid === (this.#reason !== undefined)) return false
    this.#isSaid = !this.#isSaid
    if (this.#reason === undefined) this.#log.info('etcd answers again')
    else this.#log.warn(`etcd is out of reach: ${this.#reason}${this.#isForwarding() ? FORWARDING : ''}`)
    return true
  }
}
