import type { IEvent, IWatchResponse } from 'etcd3'

import type { Revision } from '../../lease/lease.ts'
import type { KeyDelta, KeyWatchEvent } from './key.ts'
import type { Keyspace } from './keyspace.ts'

type Deltas = Extract<KeyWatchEvent, { kind: 'deltas' }>

/**
 * How far a watch has come, over any number of streams: turns etcd's answers into whole revisions, each exactly once. A position
 * moves only when every event up to it has been handed out.
 */
export class WatchPosition {
  readonly #keyspace: Keyspace
  #handedOut: Revision
  /** Events of an answer that came in fragments and is not complete yet. */
  #fragments: IEvent[] = []

  /** @param after revision whose effects are known already */
  constructor(keyspace: Keyspace, after: Revision) {
    this.#keyspace = keyspace
    this.#handedOut = after
  }

  /**
   * Where a new stream has to start: at the last revision handed out, not after it. What comes again is dropped, and a store
   * that was compacted beyond it has to say so, where it could pass over a deletion at the very revision of the compaction.
   */
  get startRevision(): Revision {
    return this.#handedOut
  }

  /** A new stream: what was half received comes again. */
  restart(): void {
    this.#fragments = []
  }

  /** Takes in one answer that carries events or progress. @returns the revisions it completes, in order */
  advance({ events, fragment, header }: IWatchResponse): readonly Deltas[] {
    if (events.length === 0 && this.#fragments.length === 0) {
      this.#moveTo(BigInt(header.revision))
      return []
    }
    this.#fragments.push(...events)
    if (fragment) return []
    const complete = this.#group(this.#fragments)
    this.#fragments = []
    return complete
  }

  #group(events: readonly IEvent[]): readonly Deltas[] {
    const revisions = new Map<Revision, KeyDelta[]>()
    for (const event of events) {
      const delta = this.#delta(event)
      if (delta.revision <= this.#handedOut) continue
      const together = revisions.get(delta.revision)
      if (together === undefined) revisions.set(delta.revision, [delta])
      else together.push(delta)
    }
    return Array.from(revisions, ([revision, deltas]) => {
      this.#moveTo(revision)
      return { kind: 'deltas', revision, deltas }
    })
  }

  #moveTo(revision: Revision): void {
    if (revision > this.#handedOut) this.#handedOut = revision
  }

  /** etcd3 declares `Delete` and delivers `DELETE`. */
  #delta({ type, kv }: IEvent): KeyDelta {
    const revision = BigInt(kv.mod_revision)
    return type.toUpperCase() === 'DELETE'
      ? { kind: 'deleted', key: this.#keyspace.nameOf(kv.key), revision }
      : { kind: 'put', record: this.#keyspace.record(kv), revision }
  }
}
