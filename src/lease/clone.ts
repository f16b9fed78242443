import type { Challenger } from './challenges.ts'
import { decodeLease } from './codec.ts'
import { StoreError, type LeaseRecord } from './store.ts'
import type { LeaseTerms } from './terms.ts'

/** Asks whoever else holds our lease whether it lives; undefined: nobody answered. @throws {StoreError} */
export type AskClone = (signal: AbortSignal) => Promise<Challenger | undefined>

/**
 * Another machine with our node id at our key: each would restore its own value for ever. Both ask, both are answered by the other, and
 * both compare alike, so that just one of them makes way.
 */
export class CloneCheck {
  readonly #terms: Pick<LeaseTerms, 'node' | 'instance'>
  readonly #ask: AskClone | undefined
  #isSuspected = false

  /** @param ask undefined: nobody can be asked, and so we never make way */
  constructor(terms: Pick<LeaseTerms, 'node' | 'instance'>, ask: AskClone | undefined) {
    this.#terms = terms
    this.#ask = ask
  }

  /** Somebody keeps writing this to our key: if it carries our node id, that is worth a question before we answer it. */
  suspect(record: LeaseRecord): void {
    const lease = decodeLease(record)
    this.#isSuspected ||= !('rejected' in lease) && lease.node?.id === this.#terms.node.id
  }

  /**
   * Asks, if there is a suspicion that nobody has looked into yet. May take some seconds.
   * @returns why we must make way; undefined when we need not
   * @throws {StoreError} when the store was out of reach meanwhile; the suspicion stays
   */
  async reasonToYield(signal: AbortSignal): Promise<string | undefined> {
    if (!this.#isSuspected || this.#ask === undefined) return undefined
    const { node, instance } = this.#terms
    const other = await permitted(this.#ask(signal))
    this.#isSuspected = false
    if (other === undefined || other.id !== node.id || instance <= other.instance) return undefined
    return `another machine has the same machine id (${node.id}; its hostname is ${other.hostname}): give one of them --node-id`
  }
}

/** Whom we may not ask is taken for silent, as at the start. */
const permitted = (answer: Promise<Challenger | undefined>): Promise<Challenger | undefined> =>
  answer.catch((error: unknown) => {
    if (error instanceof StoreError && error.code === 'PERMISSION_DENIED') return undefined
    throw error
  })
