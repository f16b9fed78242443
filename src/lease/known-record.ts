import type { PeerRecord, Revision } from './lease.ts'

/**
 * What is remembered of a record: enough to see whether it is still the same, and to judge it again. An honest lease has some 250
 * characters; of a longer one that was rejected only a digest is kept, so that nobody can fill our memory with rubbish. The price: that
 * one is not judged again before it is written again.
 */
export interface KnownRecord {
  /** The record itself; undefined when it was rejected and is too long to keep. */
  readonly record: PeerRecord | undefined
  readonly createRevision: Revision
  readonly modRevision: Revision
  readonly digest: string | undefined
}

/** Longest value of a rejected record to keep, in UTF-16 units. */
const LONGEST_KEPT = 1_024

export function remember(record: PeerRecord, isRejected: boolean): KnownRecord {
  const { createRevision, modRevision } = record
  return isRejected && record.value.length > LONGEST_KEPT
    ? { record: undefined, createRevision, modRevision, digest: digestOf(record.value) }
    : { record, createRevision, modRevision, digest: undefined }
}

/** The value counts as well as the revision: an etcd that was wiped or restored gives the same revisions to other values. */
export const isSame = (known: KnownRecord, record: PeerRecord): boolean =>
  known.modRevision === record.modRevision &&
  known.createRevision === record.createRevision &&
  (known.record === undefined ? known.digest === digestOf(record.value) : known.record.value === record.value)

/**
 * Length and 32-bit FNV-1a over UTF-16 units (RFC 9923 has the constants). Not proof against design, and it need not be: who can choose
 * two values with one digest for his own lease, both of them rejected, gains nothing.
 */
function digestOf(text: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return `${text.length}:${hash >>> 0}`
}
