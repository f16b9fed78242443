import type { Revision } from '../../lease/lease.ts'
import { BrokenAnswer } from '../client/errors.ts'
import type { KeyDelta, KeyWatchEvent } from './key.ts'
import type { WatchProgress } from './watch-answer.ts'

type Deltas = Extract<KeyWatchEvent, { kind: 'deltas' }>
type Reset = Extract<KeyWatchEvent, { kind: 'reset' }>

/** Changes of one answer, in however many pieces: no transaction and no expired lease has a tenth of them. */
const MOST_PENDING = 1_000_000

/**
 * How far a watch has come, over any number of streams: turns etcd's answers into whole revisions, each exactly once. A position
 * moves only when every event up to it has been handed out.
 */
export class WatchPosition {
  #handedOut: Revision
  /** Changes of an answer that came in fragments and is not complete yet. */
  #pending: KeyDelta[] = []

  /** @param after revision whose effects are known already */
  constructor(after: Revision) {
    this.#handedOut = after
  }

  /** All that happened up to it, and nothing behind it, has been handed out. */
  get known(): Revision {
    return this.#handedOut
  }

  /**
   * Where a new stream has to start. Behind what is known: etcd serves at once whoever waits for what is to come, and in rounds of 100 ms
   * whoever asks for what was (its `syncWatchersLoop`). A compaction at the very revision of a deletion takes that away without a word;
   * whoever opens the stream has to make sure afterwards that what is known has not been compacted.
   */
  get startRevision(): Revision {
    return this.#handedOut + 1n
  }

  /** A new stream: what was half received comes again. */
  restart(): void {
    this.#pending = []
  }

  /**
   * Takes in one answer that carries changes or progress.
   * @returns the revisions it completes, in order; or that the stream has gone back behind what it, or we, knew already: what it says
   * from then on would be passed over as old
   * @throws {BrokenAnswer}
   */
  advance({ changes, fragment, header }: WatchProgress): readonly Deltas[] | Reset {
    if (changes.length === 0 && this.#pending.length === 0) return this.#progress(header.revision)
    for (const change of changes) this.#pending.push(change)
    if (this.#pending.length > MOST_PENDING) throw new BrokenAnswer('an answer that does not end')
    if (fragment) return []
    const whole = this.#pending
    this.#pending = []
    return this.#complete(whole)
  }

  #progress(revision: Revision): readonly Deltas[] | Reset {
    if (revision < this.#handedOut) return this.#wentBack(revision)
    this.#handedOut = revision
    return []
  }

  #complete(changes: readonly KeyDelta[]): readonly Deltas[] | Reset {
    const complete: { kind: 'deltas'; revision: Revision; deltas: KeyDelta[] }[] = []
    for (const change of changes) {
      const { revision } = change
      const last = complete.at(-1)
      if (last?.revision === revision) last.deltas.push(change)
      else if (revision > this.#handedOut) {
        complete.push({ kind: 'deltas', revision, deltas: [change] })
        this.#handedOut = revision
      } else return this.#wentBack(revision)
    }
    return complete
  }

  #wentBack(revision: Revision): Reset {
    return { kind: 'reset', reason: `the stream went back from revision ${this.#handedOut} to ${revision}` }
  }
}
