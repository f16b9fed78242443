import type { LeaseList } from '../../lease/store.ts'
import { backoffMs, type BackoffSpec } from '../../time/backoff.ts'
import { toStoreError } from '../client/errors.ts'
import { listLeases } from './list.ts'
import type { WatchTools } from './watch.ts'

const RETRY: BackoffSpec = { firstMs: 200, mostMs: 5_000, jitter: 0.5 }

/** After a refusal that stands until somebody changes a role, or the password: nothing is urgent about it. */
const REFUSED: BackoffSpec = { firstMs: 30_000, mostMs: 300_000, jitter: 0.5 }

/**
 * A list to begin a watch with, tried for as long as it takes.
 * @returns undefined once aborted, or when the store was closed
 */
export async function listUntilItWorks(
  { caller, keyspace, clock, random }: WatchTools,
  op: string,
  pageSize: number,
  signal: AbortSignal,
): Promise<LeaseList | undefined> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await listLeases(caller, keyspace, pageSize, signal)
    } catch (error) {
      const { code, retryable } = toStoreError({ op }, error)
      if (code === 'CLOSED') return undefined
      await clock.sleep(backoffMs(retryable ? RETRY : REFUSED, attempt, random), signal)
    }
  }
  return undefined
}
