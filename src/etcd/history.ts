import type { Revision } from '../lease/lease.ts'
import type { LeaseDelta, LeaseRecord } from '../lease/store.ts'
import type { Caller } from './call.ts'
import { toStoreError } from './errors.ts'
import type { Keyspace } from './keyspace.ts'

/** A directory as the store says it was at some revision. */
export interface PastState {
  readonly count: number
  /** The record written last; undefined when there is none. */
  readonly newest: LeaseRecord | undefined
}

/**
 * Asks a quorum how the directory stood at a revision. etcd sorts it for that, which costs it less than a list.
 * @returns undefined when that history is compacted
 * @throws {StoreError}
 */
export async function readPastState(
  caller: Caller,
  keyspace: Keyspace,
  revision: Revision,
  signal: AbortSignal,
): Promise<PastState | undefined> {
  const request = { ...keyspace.range, revision: String(revision), limit: 1 }
  try {
    const { count, kvs } = await caller.call('watch', signal, ({ kv }, options) =>
      kv.range({ ...request, sort_target: 'Mod', sort_order: 'Descend' }, options),
    )
    const [newest] = kvs
    return { count: Number(count), newest: newest && keyspace.record(newest) }
  } catch (error) {
    if (toStoreError({ op: 'watch' }, error).code === 'OUT_OF_RANGE') return undefined
    throw error
  }
}

/**
 * All records as a watch has made them out so far. A store that was restored from a snapshot has the same cluster id, and soon a
 * higher revision than ours; but what it holds at *our* revision is what we know only if its history up to there is ours.
 */
export class KnownRecords {
  readonly #records: Map<string, LeaseRecord> | undefined

  /** @param records undefined: not known, so that nothing can be told from them */
  constructor(records: readonly LeaseRecord[] | undefined) {
    this.#records = records && new Map(records.map((record) => [record.key, record]))
  }

  apply(deltas: readonly LeaseDelta[]): void {
    for (const delta of deltas) {
      if (delta.kind === 'put') this.#records?.set(delta.record.key, delta.record)
      else this.#records?.delete(delta.key)
    }
  }

  /** @param past the store's own account of the revision we have come to. @returns whether it contradicts what we know */
  contradict({ count, newest }: PastState): boolean {
    if (this.#records === undefined) return false
    if (count !== this.#records.size) return true
    if (newest === undefined) return false
    const known = this.#records.get(newest.key)
    if (known === undefined || !isSame(known, newest)) return true
    for (const { modRevision } of this.#records.values()) if (modRevision > newest.modRevision) return true
    return false
  }
}

/** Two histories can give the same key the same revision, but hardly with the same content on the same etcd lease. */
const isSame = (one: LeaseRecord, other: LeaseRecord): boolean =>
  one.modRevision === other.modRevision &&
  one.createRevision === other.createRevision &&
  one.etcdLeaseId === other.etcdLeaseId &&
  one.value === other.value
