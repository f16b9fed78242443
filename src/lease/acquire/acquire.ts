import { backoffMs, type BackoffSpec } from '../../time/backoff.ts'
import { CloneError, LeaseContentionError } from '../errors.ts'
import { Acquisition, type Acquired, type AcquisitionInput } from './acquisition.ts'

/** Lost races before giving up, as upstream counts. */
const ATTEMPTS = 10

/** After the second lost race, from nothing to twice as much: of many that lost it, not all shall try again at once. */
const AFTER_LOST_RACE: BackoffSpec = { firstMs: 40, mostMs: 1_000, jitter: 1 }

/**
 * Gets this node a lease, in upstream's order: our own if it still fits (nothing is written when it says what we would say), then that
 * of a dead node with our address, then a subnet that was ours before, then a random free one. Every write is a compare-and-set; a
 * lost race starts over with a new list, and so does a write of which the next list shows nothing any more. What is given up is removed
 * only when something else is held. Takes up to 20 s where another node's lease has our address, and up to 3 s where a lease with our
 * node id may be another machine's; when that machine lives, and has another address, we go on under the identity of a copy.
 * @throws {OtherAddressError} where the terms leave the address open; {OutOfSubnetsError | RivalError | CloneError | LeaseContentionError | StoreError}
 */
export async function acquireLease(input: AcquisitionInput, signal: AbortSignal): Promise<Acquired> {
  const { clock, random } = input
  const acquisition = new Acquisition(input, signal)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const acquired = await acquisition.attempt(attempt).catch((error: unknown) => {
      if (error instanceof CloneError && acquisition.goOnAsCopy(error)) return undefined
      throw error
    })
    if (acquired !== undefined) return acquired
    if (attempt > 1) await clock.sleep(backoffMs(AFTER_LOST_RACE, attempt, random), signal)
  }
  throw new LeaseContentionError(ATTEMPTS)
}
