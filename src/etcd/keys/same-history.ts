import type { Revision } from '../../lease/lease.ts'
import type { Caller } from '../client/call.ts'
import { toStoreError } from '../client/errors.ts'
import type { KeyDelta, KeyRecord } from './key.ts'
import type { Keyspace } from './keyspace.ts'
import { readRange } from './answer.ts'

/** A directory as the store says it was at some revision. */
export interface PastState {
  readonly count: number
  /** The record written last; undefined when there is none. */
  readonly newest: KeyRecord | undefined
}

/**
 * Asks a quorum how the directory stood at a revision. etcd sorts it for that, which costs it about as much as a list (13 ms for
 * 10 000 keys): not something that every node should ask at the same moment.
 * @returns undefined when that history is compacted
 * @throws {StoreError}
 */
export async function readPastState(
  caller: Caller,
  keyspace: Keyspace,
  revision: Revision,
  signal: AbortSignal,
): Promise<PastState | undefined> {
  const newestAt = { revision, limit: 1, isNewestFirst: true }
  try {
    const { count, records } = await readRange(caller, keyspace, 'watch', { ...keyspace.range, ...newestAt }, signal)
    return { count: Number(count), newest: records[0] }
  } catch (error) {
    if (toStoreError({ op: 'watch' }, error).code === 'OUT_OF_RANGE') return undefined
    throw error
  }
}

/**
 * One key as it stood at a revision: a range of that key alone, at that revision (etcd: api/etcdserverpb, RangeRequest).
 * @returns undefined: there was none; `compacted`: that history is gone
 * @throws {StoreError}
 */
export async function readPastRecord(
  caller: Caller,
  keyspace: Keyspace,
  { key, revision }: { readonly key: string; readonly revision: Revision },
  signal: AbortSignal,
): Promise<KeyRecord | undefined | 'compacted'> {
  const request = { key: keyspace.keyOf(key), revision }
  try {
    const { records } = await readRange(caller, keyspace, 'saidAt', request, signal)
    return records[0]
  } catch (error) {
    if (toStoreError({ op: 'saidAt' }, error).code === 'OUT_OF_RANGE') return 'compacted'
    throw error
  }
}

/**
 * All records as a watch has made them out so far. A store that was restored from a snapshot has the same cluster id, and soon a
 * higher revision than ours; but what it holds at *our* revision is what we know only if its history up to there is ours.
 */
export class KnownRecords {
  readonly #records: Map<string, KeyRecord> | undefined

  /** @param records undefined: not known, so that nothing can be told from them */
  constructor(records: readonly KeyRecord[] | undefined) {
    this.#records = records && new Map(records.map((record) => [record.key, record]))
  }

  apply(deltas: readonly KeyDelta[]): void {
    for (const delta of deltas) {
      if (delta.kind === 'put') this.#records?.set(delta.record.key, delta.record)
      else this.#records?.delete(delta.key)
    }
  }

  /** What is known at this moment, to be held against the store's own account later; undefined when nothing is. */
  summary(): Summary | undefined {
    if (this.#records === undefined) return undefined
    let newest: KeyRecord[] = []
    for (const record of this.#records.values()) {
      const revision = newest[0]?.modRevision ?? -1n
      if (record.modRevision > revision) newest = [record]
      else if (record.modRevision === revision) newest.push(record)
    }
    return { count: this.#records.size, newest }
  }
}

/** A directory as we know it from a list and a watch. */
export interface Summary {
  readonly count: number
  /** The records of the newest revision; several when one transaction wrote them. */
  readonly newest: readonly KeyRecord[]
}

/** Whether the store's own account of a revision contradicts what we knew then. */
export function contradicts({ count, newest }: PastState, known: Summary): boolean {
  if (count !== known.count) return true
  return newest !== undefined && !known.newest.some((record) => isSame(record, newest))
}

/** Two histories can give the same key the same revision, but hardly with the same content on the same etcd lease. */
const isSame = (one: KeyRecord, other: KeyRecord): boolean =>
  one.key === other.key &&
  one.modRevision === other.modRevision &&
  one.createRevision === other.createRevision &&
  one.etcdLeaseId === other.etcdLeaseId &&
  one.value === other.value
