import type { Challenge, Challenger, Challenges } from '../../lease/challenges.ts'
import { StoreError } from '../../lease/store.ts'
import type { Clock } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Logger } from '../../observe/logger.ts'
import { ChallengeLog } from './challenge-log.ts'
import { ChallengeQueue } from './challenge-queue.ts'
import type { ConditionReports } from '../../agent/runtime/conditions.ts'
import { isStopped, ROUND_MS, runTogether, type Task, type TaskContext } from '../../agent/runtime/task.ts'

export interface ChallengesTaskInput {
  readonly store: Challenges
  readonly clock: Clock
  readonly log: Logger
  readonly conditions: ConditionReports
  /** The lease we hold. */
  readonly key: string
  readonly ourselves: Challenger
  /** Told of everybody who asks. */
  readonly onAsked: (asker: Challenger) => void
}

/** Whoever asks waits for some seconds; an answer that fails is tried this often, this far apart, in milliseconds. */
const ATTEMPTS = 3
const RETRY_MS = 1_000
/** Answers under way at once: an honest question must not wait behind a flood of others. */
const PARALLEL = 8
/** Only a ring matters. */
const IDLE_MS = 3_600_000

/** Proves that the holder of our lease lives to whoever asks, for as long as we hold it. */
export class ChallengesTask implements Task {
  readonly name = 'challenges'
  readonly #input: ChallengesTaskInput
  readonly #challengeLog: ChallengeLog
  readonly #queue = new ChallengeQueue()
  /** One for each answer that may be under way. */
  readonly #bells: readonly Wakeup[] = Array.from({ length: PARALLEL }, () => new Wakeup())

  constructor(input: ChallengesTaskInput) {
    this.#input = input
    this.#challengeLog = new ChallengeLog(input)
  }

  async run(context: TaskContext): Promise<void> {
    const answering = this.#bells.map((bell): Task => ({
      name: 'answers to challenges',
      roundMs: ROUND_MS.etcd,
      run: (loop) => this.#answerAll(bell, loop),
    }))
    await runTogether([{ name: 'challenges', run: (loop) => this.#listen(loop) }, ...answering], context)
  }

  async #listen({ signal, rest }: Loop): Promise<void> {
    const { store, key, ourselves, onAsked } = this.#input
    while (!isStopped(signal)) {
      for await (const challenge of store.challenges(key, signal)) {
        if (isStopped(signal)) break
        if (challenge.from?.instance === ourselves.instance) continue
        if (challenge.from !== undefined) onAsked(challenge.from)
        this.#queue.add(challenge)
        for (const bell of this.#bells) bell.ring()
      }
      await rest(RETRY_MS)
    }
  }

  async #answerAll(bell: Wakeup, loop: Loop): Promise<void> {
    const { signal, rest } = loop
    while (!isStopped(signal)) {
      const challenge = this.#queue.take()
      if (challenge === undefined) await rest(IDLE_MS, bell)
      else await this.#answer(challenge, loop)
    }
  }

  async #answer(challenge: Challenge, { signal, rest }: Loop): Promise<void> {
    const { store, conditions, ourselves } = this.#input
    for (let attempt = 1; attempt <= ATTEMPTS && !isStopped(signal); attempt++) {
      try {
        if (await store.answer(challenge, ourselves, signal)) this.#challengeLog.answered(challenge)
        conditions.holds('answers to challenges')
        return
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        if (isStopped(signal)) return
        conditions.fails('answers to challenges', error, 'none', {
          says: `cannot answer who asks whether we live: ${error.message}`,
          saysHolds: false, // that one is answered is said
          fields: { lease: challenge.key },
        })
        if (!error.retryable) return
      }
      await rest(RETRY_MS)
    }
  }
}
