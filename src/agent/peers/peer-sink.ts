import type { EntriesByFamily } from '../../backend/judge.ts'

/** Where peers are put: what of them concerns one device. */
export interface PeerSink {
  /** Sets, changes or (undefined) gives up a peer. */
  setPeer(key: string, entries: EntriesByFamily | undefined): void
  /** A complete list of peers has been seen. */
  allowPruning(): void
  /** All that is to be set for now has been set. */
  wake(): void
}
