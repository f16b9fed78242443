import { longs, withRoom, words } from '../../columns/grow.ts'
import { KeyNumbers } from '../../columns/key-numbers.ts'
import type { Revision } from '../../lease/lease.ts'
import type { Steps } from '../../time/slices.ts'
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

/** Records that are taken in between two steps. */
const AT_ONCE = 64

/**
 * All records as a watch has made them out so far. A store that was restored from a snapshot has the same cluster id, and soon a
 * higher revision than ours; but what it holds at *our* revision is what we know only if its history up to there is ours. Of each record
 * its revision is kept, and a digest.
 */
export class KnownRecords {
  readonly #keys = new KeyNumbers()
  #revisions = longs(0)
  /** Two for each. */
  #digests = words(0)
  readonly #areKnown: boolean

  /** @param areKnown false: not known, so that nothing can be told from them */
  constructor(areKnown: boolean) {
    this.#areKnown = areKnown
  }

  /** What stands there to begin with; has to be gone through before anything is applied. */
  *takingIn(records: readonly KeyRecord[]): Steps {
    for (const [at, record] of records.entries()) {
      this.#set(record)
      if (at % AT_ONCE === 0) yield
    }
  }

  apply(deltas: readonly KeyDelta[]): void {
    if (!this.#areKnown) return
    for (const delta of deltas)
      if (delta.kind === 'put') this.#set(delta.record)
      else this.#keys.delete(delta.key)
  }

  #set(record: KeyRecord): void {
    const at = this.#keys.add(record.key)
    this.#revisions = withRoom(this.#revisions, at, longs)
    this.#digests = withRoom(this.#digests, at * 2 + 1, words)
    this.#revisions[at] = record.modRevision
    const { high, low } = digestOf(record)
    this.#digests[at * 2] = high
    this.#digests[at * 2 + 1] = low
  }

  #digest(at: number): Digest {
    return { high: this.#digests[at * 2] ?? 0, low: this.#digests[at * 2 + 1] ?? 0 }
  }

  /** What is known at this moment, to be held against the store's own account later; undefined when nothing is. */
  summary(): Summary | undefined {
    if (!this.#areKnown) return undefined
    let [newest, last]: [string[], Revision] = [[], -1n]
    for (const [key, at] of this.#keys) {
      const revision = this.#revisions[at] ?? -1n
      if (revision > last) [newest, last] = [[key], revision]
      else if (revision === last) newest.push(key)
    }
    const digests = newest.map((key): [string, Digest] => [key, this.#digest(this.#keys.find(key) ?? 0)])
    return { count: this.#keys.size, newest: new Map(digests), revision: last }
  }
}

/** 64 bits of all that a record says beside its key and revision. */
interface Digest {
  readonly high: number
  readonly low: number
}

/** A directory as we know it from a list and a watch. */
export interface Summary {
  readonly count: number
  /** The newest revision of all. */
  readonly revision: Revision
  /** Key → digest, of those that were written at it; several when one transaction wrote them. */
  readonly newest: ReadonlyMap<string, Digest>
}

/** Whether the store's own account of a revision contradicts what we knew then. */
export function contradicts({ count, newest }: PastState, known: Summary): boolean {
  if (count !== known.count) return true
  return newest !== undefined && !isSame(newest, known)
}

/** Two histories can give the same key the same revision, but hardly with the same content on the same etcd lease. */
function isSame(record: KeyRecord, { revision, newest }: Summary): boolean {
  const [known, said] = [newest.get(record.key), digestOf(record)]
  return record.modRevision === revision && known?.high === said.high && known.low === said.low
}

/** A revision as two words: one for each of tens of thousands of records, so that nothing is made of it. */
const revision = longs(1)
const revisionWords = new Int32Array(revision.buffer)

/** Two in the manner of FNV-1a (RFC 9923), which begin with different numbers. */
function digestOf({ createRevision, etcdLeaseId, value }: KeyRecord): Digest {
  revision[0] = createRevision
  const began = { high: (revisionWords[0] ?? 0) ^ 0x811c_9dc5, low: (revisionWords[1] ?? 0) ^ 0x050c_5d1f }
  return withText(value, withText(etcdLeaseId, began))
}

/** With its length, so that it is known where it ends. Four characters at a time: this is done for each of tens of thousands of records. */
function withText(text: string, { high, low }: Digest): Digest {
  const { length } = text
  high = Math.imul(high ^ length, 0x0100_0193)
  low = Math.imul(low ^ length, 0x0100_0193) ^ (low >>> 15)
  let at = 0
  for (; at + 3 < length; at += 4) {
    const first = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16)
    const second = text.charCodeAt(at + 2) | (text.charCodeAt(at + 3) << 16)
    high = Math.imul(Math.imul(high ^ first, 0x0100_0193) ^ second, 0x0100_0193) ^ (high >>> 16)
    low = Math.imul(Math.imul(low ^ second, 0x0100_0193) ^ first, 0x0100_0193) ^ (low >>> 15)
  }
  for (; at < length; at++) {
    high = Math.imul(high ^ text.charCodeAt(at), 0x0100_0193)
    low = Math.imul(low ^ text.charCodeAt(at), 0x0100_0193) ^ (low >>> 15)
  }
  return { high, low }
}
