import type { NodeIdentity, Revision } from './lease.ts'

/** Who takes part in a challenge: a node, and which of its processes. */
export interface Challenger extends NodeIdentity {
  /** Random, new at every start: tells two machines with one machine id apart. */
  readonly instance: string
  /** Revision of the store when it began to hold the lease in question; undefined: it holds none yet, or does not say. */
  readonly since?: Revision | undefined
}

/** Later than any revision of a store (64 bits, signed): since then holds a lease whose hold has just been interrupted. */
export const JUST_NOW: Revision = 2n ** 63n - 1n

/** Somebody asks the holder of a lease whether it lives. */
export interface Challenge {
  /** Lease in question, such as `10.15.64.0-20`. */
  readonly key: string
  /** Name of this challenge among those to the same lease. */
  readonly id: string
  /** Who asks; undefined when what stands there cannot be read. It is answered all the same. */
  readonly from: Challenger | undefined
}

/**
 * Port: proof of life through the store, since a lease alone does not tell a dead node from a living one. Challenges live below
 * `PREFIX/challenges/`, where upstream never looks, on etcd leases of a minute, so that none is left behind.
 */
export interface Challenges {
  /**
   * Asks the holder of a lease whether it lives, and waits for the answer.
   * @returns who answered; undefined when nobody did for `waitMs` although the store could be reached all the time
   * @throws {StoreError} when the store was out of reach meanwhile: silence then proves nothing
   */
  ask(key: string, from: Challenger, waitMs: number, signal: AbortSignal): Promise<Challenger | undefined>

  /**
   * Challenges to a lease that nobody has answered yet, those that are pending already included, over reconnects for as long as it
   * takes; one may come twice. Ends when `signal` aborts; throws nothing that a network can do.
   */
  challenges(key: string, signal: AbortSignal): AsyncIterable<Challenge>

  /**
   * Answers.
   * @returns whether an answer was written; not when the challenge is over, or was answered by somebody else
   * @throws {StoreError}
   */
  answer(challenge: Challenge, by: Challenger, signal: AbortSignal): Promise<boolean>

  /**
   * Takes back what a node has asked and, killed meanwhile, left behind.
   * @param nodeId of the node that asked
   * @throws {StoreError}
   */
  takeBack(nodeId: string, signal: AbortSignal): Promise<void>
}
