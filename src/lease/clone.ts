import type { Challenger } from './challenges.ts'
import { decodeLease } from './codec.ts'
import { StoreError, type LeaseRecord } from './store.ts'

/** Asks whoever else holds our lease whether it lives; undefined: nobody answered. @throws {StoreError} */
export type AskClone = (signal: AbortSignal) => Promise<Challenger | undefined>

/** Of two machines with one node id, the one that has held its lease for less long makes way; chance decides between equals. Both find the same. */
export function makesWay(us: Challenger, other: Challenger): boolean {
  if (other.id !== us.id || other.instance === us.instance) return false
  const [ours, theirs] = [us.since ?? 0n, other.since ?? 0n]
  return ours === theirs ? us.instance > other.instance : ours > theirs
}

/** Why we make way, in words. */
export const cloneReason = ({ id, hostname }: Challenger): string =>
  `another machine has the same machine id (${id}; its hostname is ${hostname}): give one of them --node-id`

/**
 * Another machine with our node id at our key: each would restore its own value for ever. Both ask, both are answered by the other, and
 * both compare alike, so that just one of them makes way.
 */
export class CloneCheck {
  readonly #ourselves: Challenger
  readonly #ask: AskClone | undefined
  #isSuspected = false

  /** @param ask undefined: nobody can be asked, and so we never make way */
  constructor(ourselves: Challenger, ask: AskClone | undefined) {
    this.#ourselves = ourselves
    this.#ask = ask
  }

  /** Somebody keeps writing this to our key: if it carries our node id, that is worth a question before we answer it. */
  suspect(record: LeaseRecord): void {
    const lease = decodeLease(record)
    this.#isSuspected ||= !('rejected' in lease) && lease.node?.id === this.#ourselves.id
  }

  /**
   * Asks, if there is a suspicion that nobody has looked into yet. May take some seconds.
   * @returns why we must make way; undefined when we need not
   * @throws {StoreError} when the store was out of reach meanwhile; the suspicion stays
   */
  async reasonToYield(signal: AbortSignal): Promise<string | undefined> {
    if (!this.#isSuspected || this.#ask === undefined) return undefined
    const other = await permitted(this.#ask(signal))
    this.#isSuspected = false
    return other !== undefined && makesWay(this.#ourselves, other) ? cloneReason(other) : undefined
  }
}

/** Whom we may not ask is taken for silent, as at the start. */
export const permitted = (answer: Promise<Challenger | undefined>): Promise<Challenger | undefined> =>
  answer.catch((error: unknown) => {
    if (error instanceof StoreError && error.code === 'PERMISSION_DENIED') return undefined
    throw error
  })
