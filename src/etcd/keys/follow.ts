import { listAndWatch } from '../../lease/list-and-watch.ts'
import { backoffMs, type BackoffSpec } from '../../time/backoff.ts'
import { toStoreError } from '../client/errors.ts'
import type { KeyDelta, KeyList, KeyRecord } from './key.ts'
import { listKeys } from './list.ts'
import { KeyWatch, type WatchTools } from './watch.ts'

const RETRY: BackoffSpec = { firstMs: 200, mostMs: 5_000, jitter: 0.5 }

/** After a refusal that stands until somebody changes a role, or the password: nothing is urgent about it. */
const REFUSED: BackoffSpec = { firstMs: 30_000, mostMs: 300_000, jitter: 0.5 }

/** What stands in a directory, and how that changes. */
export type KeysSeen =
  | { readonly kind: 'all'; readonly records: readonly KeyRecord[] }
  /** In one revision. */
  | { readonly kind: 'changes'; readonly changes: readonly KeyDelta[] }

export interface FollowedKeys {
  /** For errors. */
  readonly op: string
  /** Keys per request of a list. */
  readonly pageSize: number
}

/** All keys, then every change, over any number of lists and watches. Ends when `signal` aborts, or when the store was closed. */
export async function* followKeys(
  tools: WatchTools,
  { op, pageSize }: FollowedKeys,
  signal: AbortSignal,
): AsyncGenerator<KeysSeen, void, undefined> {
  const followed = {
    clock: tools.clock,
    list: (stop: AbortSignal) => listUntilItWorks(tools, op, pageSize, stop),
    watch: (from: KeyList, stop: AbortSignal) => new KeyWatch(tools, from, {}).run(stop),
  }
  for await (const event of listAndWatch(followed, signal))
    if (event.kind === 'list') yield { kind: 'all', records: event.list.records }
    else if (event.kind === 'deltas') yield { kind: 'changes', changes: event.deltas }
}

/**
 * A list to begin a watch with, tried for as long as it takes.
 * @returns undefined once aborted, or when the store was closed
 */
async function listUntilItWorks(
  { caller, keyspace, clock, random }: WatchTools,
  op: string,
  pageSize: number,
  signal: AbortSignal,
): Promise<KeyList | undefined> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await listKeys(caller, keyspace, pageSize, signal)
    } catch (error) {
      const { code, retryable } = toStoreError({ op }, error)
      if (code === 'CLOSED') return undefined
      await clock.sleep(backoffMs(retryable ? RETRY : REFUSED, attempt, random), signal)
    }
  }
  return undefined
}
