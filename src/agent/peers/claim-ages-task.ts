import type { Question } from '../../lease/peers/claim-ages.ts'
import type { PeerTable } from '../../lease/peers/peer-table.ts'
import { StoreError } from '../../lease/store.ts'
import type { Clock } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { RateLimit } from '../../time/rate-limit.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { SubnetManager } from '../runtime/subnet-manager.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'

export interface ClaimAgesTaskInput {
  readonly clock: Clock
  readonly subnets: Pick<SubnetManager, 'saidAt'>
  readonly peers: Pick<PeerTable<unknown>, 'nextQuestion' | 'testify' | 'isForgotten'>
  /** Called after each answer. */
  readonly onAnswer: () => void
}

/** Every node that starts asks, and whoever writes doubtful leases must not have us ask without end. */
const QUESTIONS = { burst: 50, everyMs: 500 }
/** Before the same is asked again, in milliseconds. */
const RETRY_MS = 5_000
/** Until the next question may be asked, in milliseconds. */
const PAUSE_MS = 500
/** Only a ring matters. */
const IDLE_MS = 3_600_000

/**
 * Finds out whose claim is older, where two leases want the same and what we have seen of them does not tell: asks what one of them said
 * before we were there to see it. Until that is known, and where nobody knows, the rules decide without (lease/peers/contender.ts).
 */
export class ClaimAgesTask implements Task {
  readonly name = 'ages of claims'
  readonly roundMs = ROUND_MS.etcd
  readonly #input: ClaimAgesTaskInput
  readonly #rateLimit: RateLimit
  readonly #changed = new Wakeup()

  constructor(input: ClaimAgesTaskInput) {
    this.#input = input
    this.#rateLimit = new RateLimit(input.clock, QUESTIONS)
  }

  /** Peers have changed: there may be something to ask. */
  look(): void {
    this.#changed.ring()
  }

  async run(loop: Loop): Promise<void> {
    while (!isStopped(loop.signal)) {
      const question = this.#input.peers.nextQuestion()
      if (question === undefined) await loop.rest(IDLE_MS, this.#changed)
      else await this.#ask(question, loop)
    }
  }

  async #ask(question: Question, { signal, rest }: Loop): Promise<void> {
    const { subnets, peers, onAnswer } = this.#input
    while (!isStopped(signal)) {
      if (!this.#rateLimit.take()) {
        await rest(PAUSE_MS)
        continue
      }
      try {
        const said = await subnets.saidAt(question.key, question.revision, signal)
        if (said === 'forgotten') peers.isForgotten(question)
        else peers.testify(question, said)
        onAnswer()
        return
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        if (!error.retryable) return // the rules decide without
      }
      await rest(RETRY_MS)
    }
  }
}
