import type { Clock } from '../time/clock.ts'
import { RateLimit, type Rate } from '../time/rate-limit.ts'
import type { LeaseList, LeaseWatchEvent, StoreIdentity } from './store.ts'

/** However often a store says that its history is gone: lists are what costs it most. */
const LISTS: Rate = { burst: 3, everyMs: 5_000 }

/** What differs between those who follow keys. */
export interface Followed {
  readonly clock: Clock
  /** A complete list. @returns undefined when there is no point in going on */
  list(signal: AbortSignal): Promise<LeaseList | undefined>
  /** Every change after a list, until its history is gone. */
  watch(from: StoreIdentity, signal: AbortSignal): AsyncIterable<LeaseWatchEvent>
}

export type FollowEvent =
  | LeaseWatchEvent
  /** All there is now. `wasReset`: not of the store, or not of the history, that was spoken of before. */
  | { readonly kind: 'list'; readonly list: LeaseList; readonly wasReset: boolean }

/**
 * Follows keys for as long as it takes: a list, every change after it, and a new list when the history is gone or belongs to another
 * store (in etcd, `etcd/keys/watch.ts` ends a watch whose history was compacted). Ends when `signal` aborts, or when there is nothing to list.
 * @param known a list that was made and taken in before: begins with the changes after it
 * @throws what listing and watching throw
 */
export async function* listAndWatch(
  followed: Followed,
  signal: AbortSignal,
  known?: LeaseList,
): AsyncGenerator<FollowEvent, void, undefined> {
  const pace = new RateLimit(followed.clock, LISTS)
  let [list, wasReset] = [known, false]
  known = undefined
  while (!signal.aborted) {
    if (list === undefined) {
      await pace.wait(signal)
      list = await followed.list(signal)
      if (list === undefined) return
      yield { kind: 'list', list, wasReset }
    }
    wasReset = false
    const events = followed.watch(list, signal)
    list = undefined // a watch lasts for weeks: nobody keeps what it began with
    for await (const event of events) {
      wasReset = event.kind === 'reset'
      yield event
    }
  }
}
