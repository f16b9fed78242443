import type { Challenger, Challenges } from '../../lease/challenges.ts'
import { cloneReason, makesWay, permitted } from '../../lease/clone.ts'
import { CLONE_ANSWERS_WITHIN_MS } from '../../lease/proof.ts'
import { StoreError } from '../../lease/store.ts'
import type { Random } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import { isStopped, ROUND_MS, type Task } from '../../agent/runtime/task.ts'

export interface CloneTaskInput {
  readonly store: Pick<Challenges, 'ask'>
  readonly random: Random
  /** The lease we hold. */
  readonly key: string
  /** It stood there before us, and so may be another's as well. */
  readonly isDoubtful: boolean
  readonly ourselves: Challenger
  /** Gives the lease up. */
  readonly makeWay: (reason: string) => void
}

/** Not while everybody starts who was started with us, in milliseconds: from once to twice as much. */
const FIRST_MS = 10_000
/** After the store failed, and for whoever makes us suspicious again and again. */
const AGAIN_MS = 30_000
/** Nothing but a ring matters. */
const IDLE_MS = 3_600_000

/**
 * Asks, some time after the start, whether another machine holds the very lease that we have kept: a copy of this one, with our subnet
 * file and our PublicIP too, takes our lease for its own beyond doubt, and writes just what we would write. Asks again when somebody with our node id
 * says that he holds it. The one that has held it for less long makes way.
 */
export class CloneTask implements Task {
  readonly name = 'copies of this machine'
  readonly roundMs = ROUND_MS.etcd
  readonly #input: CloneTaskInput
  readonly #suspicion = new Wakeup()
  #isSuspicious: boolean

  constructor(input: CloneTaskInput) {
    this.#input = input
    this.#isSuspicious = input.isDoubtful
  }

  /** Somebody asks about our lease. One that has our node id and says since when it holds that lease is worth a question, and no more: it may be our own past. */
  observe(asker: Challenger): void {
    const { ourselves } = this.#input
    if (asker.since === undefined || !makesWay(ourselves, asker)) return
    this.#isSuspicious = true
    this.#suspicion.ring()
  }

  async run({ signal, rest }: Loop): Promise<void> {
    const { random } = this.#input
    await rest(FIRST_MS * (1 + random()))
    while (!isStopped(signal)) {
      if (this.#isSuspicious) await this.#ask(signal)
      if (this.#isSuspicious) await rest(AGAIN_MS)
      else await rest(IDLE_MS, this.#suspicion)
    }
  }

  /** Until there is an answer, or silence, the suspicion stays. */
  async #ask(signal: AbortSignal): Promise<void> {
    const { store, key, ourselves, makeWay } = this.#input
    try {
      const other = await permitted(store.ask(key, ourselves, CLONE_ANSWERS_WITHIN_MS, signal))
      this.#isSuspicious = false
      if (other !== undefined && makesWay(ourselves, other)) makeWay(cloneReason(other))
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
    }
  }
}
