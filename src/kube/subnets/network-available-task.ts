import type { AgentPorts } from '../../agent/runtime/ports.ts'
import { isStopped, ROUND_MS, type Task } from '../../agent/runtime/task.ts'
import { StoreError } from '../../lease/store.ts'
import { FailingCall } from '../../time/failing-call.ts'
import type { Loop } from '../../time/loop.ts'
import type { NodeStore } from '../nodes/node-store.ts'

export interface NetworkAvailableInput {
  readonly ports: Pick<AgentPorts, 'clock' | 'random' | 'log' | 'conditions'>
  readonly store: Pick<NodeStore, 'read' | 'patch'>
  readonly nodeName: string
  readonly isForwarding: () => boolean
  readonly wallMs: () => number
}

/** Whether the overlay forwards yet, in milliseconds: that is so within seconds of a start, and asks nobody. */
const LOOK_MS = 500
/** Somebody may have set it again, as a Node that was made anew has it, in milliseconds. */
const AGAIN_MS = 600_000
const CONDITION = 'condition of our Node'

/** Sets condition NetworkUnavailable of our Node to False once the overlay forwards: until then cloud controllers keep pods from it. */
export class NetworkAvailableTask implements Task {
  readonly name = CONDITION
  readonly roundMs = ROUND_MS.etcd
  readonly #input: NetworkAvailableInput
  readonly #failing: FailingCall

  constructor(input: NetworkAvailableInput) {
    this.#input = input
    this.#failing = new FailingCall(input.ports.random)
  }

  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      if (!this.#input.isForwarding()) await rest(LOOK_MS)
      else await rest(await this.#tend(signal))
    }
  }

  /** @returns when to look again, in milliseconds */
  async #tend(signal: AbortSignal): Promise<number> {
    const { store, nodeName, wallMs } = this.#input
    const { clock, conditions, log } = this.#input.ports
    try {
      const node = await store.read(nodeName, signal)
      if (node?.isNetworkAvailable === false) {
        await store.patch(nodeName, { networkAvailableSinceMs: wallMs() }, signal)
        log.info('the network of our Node is said to be available', { node: nodeName })
      }
      this.#failing.succeeded()
      conditions.holds(CONDITION)
      return AGAIN_MS
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (isStopped(signal)) return 0
      this.#failing.failed(clock.monotonicMs())
      conditions.fails(CONDITION, error, 'degraded', { says: `condition of our Node: ${error.message}; trying again` })
      return this.#failing.notBeforeMs - clock.monotonicMs()
    }
  }
}
