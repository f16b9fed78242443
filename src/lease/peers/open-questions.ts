import type { Revision } from '../lease.ts'
import type { Question } from './claim-ages.ts'

/** Asked at most, of one history: whoever invents doubts must not keep the store busy. */
const MOST_ASKED = 1_000

/** Whose claims are in doubt, and what was asked already. */
export class OpenQuestions {
  readonly #keys = new Set<string>()
  readonly #asked = new Set<string>()
  /** Up to here, nobody knows an answer. */
  #closedUpTo: Revision = -1n

  open(key: string): void {
    this.#keys.add(key)
  }

  drop(key: string): void {
    this.#keys.delete(key)
  }

  /** Of another history, everything may be asked anew. */
  forget(): void {
    this.#asked.clear()
    this.#closedUpTo = -1n
  }

  closeUpTo(revision: Revision): void {
    if (revision > this.#closedUpTo) this.#closedUpTo = revision
  }

  /** Not one of another history. */
  isAsked(question: Question): boolean {
    return this.#asked.has(nameOf(question))
  }

  /** @param about what would help with the doubt about a key */
  next(about: (key: string) => Question | undefined): Question | undefined {
    for (const key of this.#keys) {
      if (this.#asked.size >= MOST_ASKED) return undefined
      this.#keys.delete(key)
      const question = about(key)
      if (question === undefined || question.revision <= this.#closedUpTo) continue
      const name = nameOf(question)
      if (this.#asked.has(name)) continue
      this.#asked.add(name)
      return question
    }
    return undefined
  }
}

const nameOf = ({ key, revision }: Question): string => `${key}@${revision}`
