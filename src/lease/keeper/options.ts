import type { Clock, Random } from '../../time/clock.ts'
import type { Challenger } from '../challenges.ts'
import type { AskClone } from '../clone.ts'
import type { LeaseRecord, LeaseStore, StoreError } from '../store.ts'
import type { LeaseTerms } from '../terms.ts'
import type { ForeignChange } from './keeper-state.ts'

/** Where this node stands with its lease. */
export type LeaseState =
  | { readonly is: 'held'; readonly record: LeaseRecord }
  /** etcd does not answer, or refuses; the lease still runs. Said once per trouble. Forwarding goes on regardless. */
  | { readonly is: 'unrenewed'; readonly record: LeaseRecord; readonly error: StoreError }
  /** Somebody keeps changing our key, of late in this way; we answer ever more slowly. A machine with our node id would rewrite it. */
  | { readonly is: 'contested'; readonly record: LeaseRecord; readonly done: ForeignChange }
  /** Somebody else holds our key now, or is to hold it. */
  | { readonly is: 'lost'; readonly reason: string }

export interface KeeperOptions {
  readonly store: LeaseStore
  readonly terms: Pick<LeaseTerms, 'node' | 'ttlSeconds'>
  /** As we ask, and as we answer who asks. */
  readonly ourselves: Challenger
  readonly clock: Clock
  readonly random: Random
  /** Renewed at the latest this long before expiry, in milliseconds. */
  readonly renewMarginMs: number
  /** Asks whether another machine holds our key too; absent: nobody is asked. */
  readonly challenge?: AskClone
  /** Called when the key, saying what it should, stands on an etcd lease that we do not know: a copy of us may have put it there. Must not throw. */
  readonly onDoubt?: () => void
  /** Called when a copy of us made our key anew after it had ended: it has held it for longer than we do now. Must not throw. */
  readonly onInterrupted?: () => void
  /** Called at every change of state; must not throw. */
  readonly onState: (state: LeaseState, what: string) => void
}
