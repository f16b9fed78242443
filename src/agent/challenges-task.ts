import type { Challenge, Challenger, Challenges } from '../lease/challenges.ts'
import { StoreError } from '../lease/store.ts'
import type { Clock } from '../net/clock.ts'
import type { Logger } from '../observe/logger.ts'
import { Complaints } from './complaints.ts'
import { isStopped } from './tasks.ts'

export interface ChallengesTaskInput {
  readonly store: Challenges
  readonly clock: Clock
  readonly log: Logger
  /** The lease we hold. */
  readonly key: string
  readonly ourselves: Challenger
}

/** Whoever asks waits for some seconds; an answer that fails is tried this often, this far apart, in milliseconds. */
const ATTEMPTS = 3
const RETRY_MS = 1_000

/** Proves that the holder of our lease lives to whoever asks, for as long as we hold it. */
export class ChallengesTask {
  readonly #input: ChallengesTaskInput
  readonly #complaints: Complaints
  /** The challenge last spoken of: one may come twice. */
  #saidId = ''

  constructor(input: ChallengesTaskInput) {
    this.#input = input
    this.#complaints = new Complaints(input.clock)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { store, clock, key, ourselves } = this.#input
    while (!isStopped(signal)) {
      for await (const challenge of store.challenges(key, signal)) {
        if (isStopped(signal)) break
        if (challenge.from?.instance !== ourselves.instance) await this.#answer(challenge, signal)
      }
      await clock.sleep(RETRY_MS, signal)
    }
  }

  async #answer(challenge: Challenge, signal: AbortSignal): Promise<void> {
    const { store, clock, log, ourselves } = this.#input
    for (let attempt = 1; attempt <= ATTEMPTS && !isStopped(signal); attempt++) {
      try {
        await store.answer(challenge, ourselves, signal)
        this.#say(challenge)
        return
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        if (!isStopped(signal) && this.#complaints.isNews(error))
          log.warn(`cannot answer who asks whether we live: ${error.message}`, { lease: challenge.key })
        if (!error.retryable) return
      }
      await clock.sleep(RETRY_MS, signal)
    }
  }

  #say({ id, key, from }: Challenge): void {
    if (id === this.#saidId) return
    this.#saidId = id
    this.#input.log.info('another node asked whether the holder of our lease lives; answered', {
      lease: key,
      node: from?.id,
      hostname: from?.hostname,
    })
  }
}
