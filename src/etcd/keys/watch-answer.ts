import type { IEvent, IWatchResponse } from 'etcd3'

import type { Revision } from '../../lease/lease.ts'
import { BrokenAnswer } from '../client/errors.ts'
import { expectKey, expectWithin, headerOf, type Header } from './answer.ts'
import type { KeyDelta } from './key.ts'
import type { Keyspace } from './keyspace.ts'

/** What comes on a stream after it was opened. */
export type WatchAnswer = WatchProgress | Compacted

/** The history that was asked for is gone. */
export interface Compacted {
  readonly kind: 'compacted'
  readonly compactRevision: Revision
}

/** Changes, or word that there are none up to the header's revision. Values and names that are too long are cut in it already. */
export interface WatchProgress {
  readonly kind: 'changes'
  readonly header: Header
  /** In order of their revisions. */
  readonly changes: readonly KeyDelta[]
  /** It is not all of the answer: more comes in the next. */
  readonly fragment: boolean
}

/** @throws {BrokenAnswer} */
export function readWatchAnswer(answer: IWatchResponse, keyspace: Keyspace): WatchAnswer {
  if (isCompacted(answer)) return { kind: 'compacted', compactRevision: BigInt(answer.compact_revision) }
  const { events, fragment } = answer
  const changes = events.map((event) => readChange(event, keyspace))
  return { kind: 'changes', header: headerOf(answer), changes, fragment }
}

/** The watcher was refused because the history it asked for is gone. */
export const isCompacted = ({ canceled, compact_revision }: IWatchResponse): boolean =>
  canceled && BigInt(compact_revision) > 0n

/** etcd3 declares `Delete` and delivers `DELETE`; of a type that is not known to it, the number. */
function readChange(
  { type, kv }: { readonly type: unknown; readonly kv: IEvent['kv'] | null },
  keyspace: Keyspace,
): KeyDelta {
  if (kv === null) throw new BrokenAnswer('a change of no key')
  const [kind, revision] = [String(type).toUpperCase(), BigInt(kv.mod_revision)]
  if (kind === 'PUT') {
    expectKey(kv, keyspace.range, revision)
    return { kind: 'put', record: keyspace.record(kv), revision }
  }
  if (kind !== 'DELETE' || revision < 1n) throw new BrokenAnswer(`a change of type ${kind} at revision ${revision}`)
  expectWithin(kv.key, keyspace.range)
  return { kind: 'deleted', key: keyspace.nameOf(kv.key), revision }
}
