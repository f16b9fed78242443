import type { ConditionReports } from '../../agent/runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task } from '../../agent/runtime/task.ts'
import { StoreError, type LeaseStore } from '../../lease/store.ts'
import type { Random } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'

export interface RightsInput {
  readonly store: Pick<LeaseStore, 'readConfig'>
  readonly conditions: ConditionReports
  readonly random: Random
}

/** One small read; ten thousand nodes ask one etcd three times a second, in milliseconds. */
const EVERY_MS = 3_600_000
const JITTER = 0.3
/** While we are refused, somebody may be mending it. */
const AGAIN_MS = 30_000

const WHAT = 'rights in etcd'

/**
 * Finds out that etcd refuses us before something has to be written. A watch that is open is served on when auth is switched on, a password
 * is changed or a role is taken away (etcd: server/etcdserver/api/v3rpc/watch.go asks when a watch is created), and a lease is renewed by
 * whoever knows its number; so nothing else would tell for hours.
 */
export class RightsTask implements Task {
  readonly name = 'rights in etcd'
  readonly roundMs = ROUND_MS.etcd
  readonly #input: RightsInput

  constructor(input: RightsInput) {
    this.#input = input
  }

  async run({ signal, rest }: Loop): Promise<void> {
    let isWell = true
    while (!isStopped(signal)) {
      await rest(isWell ? EVERY_MS * (1 + JITTER * (this.#input.random() - 0.5)) : AGAIN_MS)
      if (!isStopped(signal)) isWell = await this.#ask(signal)
    }
  }

  /** @returns whether we are let in, as far as is known: what else keeps etcd from answering is others' to say */
  async #ask(signal: AbortSignal): Promise<boolean> {
    const { store, conditions } = this.#input
    try {
      await store.readConfig(signal)
      conditions.holds(WHAT)
      return true
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (!isRefusal(error)) return true
      conditions.fails('rights in etcd', `etcd lets us read no more: ${error.message}`, 'degraded', {
        ...{ error, isOfSession: false, repeats: false },
        subject: error.root ?? error.code,
      })
      return false
    }
  }
}

/** Of auth: nobody has said who we are, or what we say is not believed, or does not suffice (etcd: api/v3rpc/rpctypes/error.go). */
const isRefusal = ({ code, root }: StoreError): boolean =>
  code === 'UNAUTHENTICATED' || code === 'PERMISSION_DENIED' || root === 'no user'
