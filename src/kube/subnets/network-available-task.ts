import type { AgentPorts } from '../../agent/runtime/ports.ts'
import { isStopped, ROUND_MS, type Task } from '../../agent/runtime/task.ts'
import { StoreError } from '../../lease/store.ts'
import { Damping } from '../../time/damping.ts'
import { FailingCall } from '../../time/failing-call.ts'
import type { Loop } from '../../time/loop.ts'
import { RateLimit } from '../../time/rate-limit.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { NodeStore, OneNode } from '../nodes/node-store.ts'

export interface NetworkAvailableInput {
  readonly ports: Pick<AgentPorts, 'clock' | 'random' | 'log' | 'conditions'>
  readonly store: Pick<NodeStore, 'read' | 'patch'>
  readonly nodeName: string
  /** `uid` of the Node that says where we are, as it was seen last; undefined: none does. */
  readonly publishedBy: () => string | undefined
  readonly isForwarding: () => boolean
  readonly wallMs: () => number
}

/** Whether the overlay forwards yet, in milliseconds: that is so within seconds of a start, and asks nobody. */
const LOOK_MS = 500
/** Whenever our Node changes it is read, and this often besides, in milliseconds. */
const AGAIN_MS = 600_000
/** However often our Node changes: all of it is read. */
const READS = { burst: 10, everyMs: 1_000 }
const CONDITION = 'condition of our Node'
const ROW = 'NetworkUnavailable'

/**
 * Sets condition NetworkUnavailable of our Node to False once the overlay forwards, and it says where we are: until then cloud controllers
 * keep pods from it. Where our Node is made anew, or somebody sets it to True, it is set again, ever more slowly for whoever keeps doing so.
 */
export class NetworkAvailableTask implements Task {
  readonly name = CONDITION
  readonly roundMs = ROUND_MS.etcd
  readonly #input: NetworkAvailableInput
  readonly #failing: FailingCall
  readonly #changed = new Wakeup()
  readonly #reads: RateLimit
  readonly #damping: Damping
  /** `uid` of the Node that was seen to say so; undefined: none was. */
  #saidBy: string | undefined

  constructor(input: NetworkAvailableInput) {
    this.#input = input
    this.#failing = new FailingCall(input.ports.random)
    this.#reads = new RateLimit(input.ports.clock, READS)
    this.#damping = new Damping(input.ports.random)
  }

  /** Our Node has changed: what watches tell of it does not reach to its conditions. */
  nodeChanged(): void {
    this.#changed.ring()
  }

  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      if (!this.#input.isForwarding()) await rest(LOOK_MS)
      else await rest(await this.#tend(signal), this.#changed)
    }
  }

  /** @returns when to look again, in milliseconds */
  async #tend(signal: AbortSignal): Promise<number> {
    const { store, nodeName } = this.#input
    const { clock, conditions } = this.#input.ports
    const waitMs = this.#notBeforeMs - clock.monotonicMs()
    if (waitMs > 0) return waitMs
    await this.#reads.wait(signal)
    try {
      const node = await store.read(nodeName, signal)
      // Made anew, and without a podCIDR yet, it is another one than that whose network stands.
      const isToWait = node !== undefined && !node.isNetworkAvailable && this.#input.publishedBy() !== node.uid
      const isInTime = node === undefined || node.isNetworkAvailable || isToWait || (await this.#say(node, signal))
      this.#failing.succeeded()
      if (!isInTime) return this.#notBeforeMs - clock.monotonicMs()
      if (!isToWait) this.#saidBy = node?.uid
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

  get #notBeforeMs(): number {
    return Math.max(this.#failing.notBeforeMs, this.#damping.notBeforeMs(ROW))
  }

  /** @returns whether it was said; false: somebody keeps changing it, and is answered later @throws {StoreError} */
  async #say({ name, uid }: OneNode, signal: AbortSignal): Promise<boolean> {
    const { store, wallMs } = this.#input
    const { clock, conditions, log } = this.#input.ports
    const wasChanged = this.#saidBy === uid
    this.#saidBy = undefined
    if (wasChanged && this.#damping.undone(ROW, clock.monotonicMs())) {
      const reason = `NetworkUnavailable of Node ${name} is changed again and again; setting it to False more slowly`
      conditions.fails(CONDITION, reason, 'degraded')
      return false
    }
    await store.patch(name, { networkAvailableSinceMs: wallMs() }, signal)
    this.#damping.written(ROW)
    log.info('the network of our Node is said to be available', { node: name })
    return true
  }
}
