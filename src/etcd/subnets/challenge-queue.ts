import type { Challenge } from '../../lease/challenges.ts'

/** Challenges that wait for an answer at most, of each kind: far more than a lease has that nobody plagues. */
const MOST_READABLE = 256
const MOST_UNREADABLE = 32

/**
 * Challenges that wait for an answer, the next one first: those that say who asks, then those that do not, of either the newest, since
 * whoever asked long ago has gone. Of too many, the oldest are dropped: whoever means it asks again.
 */
export class ChallengeQueue {
  readonly #readable: Challenge[] = []
  readonly #unreadable: Challenge[] = []

  add(challenge: Challenge): void {
    const [queue, most] =
      challenge.from === undefined ? [this.#unreadable, MOST_UNREADABLE] : [this.#readable, MOST_READABLE]
    queue.push(challenge)
    if (queue.length > most) queue.shift()
  }

  take(): Challenge | undefined {
    return this.#readable.pop() ?? this.#unreadable.pop()
  }
}
