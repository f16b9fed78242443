import type { Revision } from '../../lease/lease.ts'
import { BrokenAnswer } from '../client/errors.ts'
import { DELETE, PUT, readWatchResponse, type WireHeader, type WireKey, type WireWatch } from '../wire/messages.ts'
import { expectKey, expectWithin, headerIn, type Header } from './answer.ts'
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

/** An answer of a stream, its changes made out already. */
export interface StreamAnswer extends Omit<WireWatch, 'header'> {
  readonly header: WireHeader | undefined
  readonly deltas: readonly KeyDelta[]
}

/** @throws {BrokenAnswer | MalformedMessage} */
export function readStreamAnswer(bytes: Buffer, keyspace: Keyspace): StreamAnswer {
  const deltas: KeyDelta[] = []
  const answer = readWatchResponse(bytes, (type, key) => {
    deltas.push(readChange(type, key, keyspace))
  })
  return { ...answer, deltas }
}

/** @throws {BrokenAnswer} */
export function watchAnswer(answer: StreamAnswer): WatchAnswer {
  if (isCompacted(answer)) return { kind: 'compacted', compactRevision: answer.compactRevision }
  const { deltas, fragment } = answer
  return { kind: 'changes', header: headerIn(answer.header), changes: deltas, fragment }
}

/** The watcher was refused because the history it asked for is gone. */
export const isCompacted = ({ canceled, compactRevision }: StreamAnswer): boolean => canceled && compactRevision > 0n

function readChange(type: number, key: WireKey | undefined, keyspace: Keyspace): KeyDelta {
  if (key === undefined) throw new BrokenAnswer('a change of no key')
  const revision = key.modRevision
  if (type === PUT) {
    expectKey(key, keyspace.range, revision)
    return { kind: 'put', record: keyspace.record(key), revision }
  }
  if (type !== DELETE || revision < 1n)
    throw new BrokenAnswer(`a change of type ${type === DELETE ? 'DELETE' : type} at revision ${revision}`)
  expectWithin(key, keyspace.range)
  return { kind: 'deleted', key: keyspace.nameOf(key.bytes, key.keyStart, key.keyStop), revision }
}
