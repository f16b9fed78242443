import type { Revision } from '../../lease/lease.ts'
import type { StoreIdentity } from '../../lease/store.ts'
import type { Caller } from '../client/call.ts'
import { toStoreError } from '../client/errors.ts'
import { readRange, type Header } from './answer.ts'
import type { Keyspace } from './keyspace.ts'

/** Where the cluster as a whole stands. The election count never goes back in its life, whichever member answers after a quorum was asked. */
export type ClusterState = Header

/**
 * A linearizable read of one key for the sake of its header: a quorum stands behind it, so a member that lags cannot pass for a
 * store that went back. Being a unary call it also gets a new token when the old one has expired.
 * @throws {StoreError}
 */
export async function readClusterState(caller: Caller, keyspace: Keyspace, signal: AbortSignal): Promise<ClusterState> {
  const { header } = await readRange(caller, keyspace, 'watch', { key: keyspace.config, isKeysOnly: true }, signal)
  return header
}

/**
 * The same, of a store that still has the history since a revision.
 * @returns undefined where that is compacted, or yet to come
 * @throws {StoreError}
 */
export async function readClusterStateSince(
  caller: Caller,
  keyspace: Keyspace,
  revision: Revision,
  signal: AbortSignal,
): Promise<ClusterState | undefined> {
  try {
    const request = { key: keyspace.config, isKeysOnly: true, revision }
    const { header } = await readRange(caller, keyspace, 'watch', request, signal)
    return header
  } catch (error) {
    if (toStoreError({ op: 'watch' }, error).code === 'OUT_OF_RANGE') return undefined
    throw error
  }
}

/** What we know of the store so far, to recognise another in its place. */
export class StoreMemory {
  readonly #clusterId: string
  #highestRevision: Revision
  #highestTerm = 0n

  constructor({ clusterId, revision }: StoreIdentity) {
    this.#clusterId = clusterId
    this.#highestRevision = revision
  }

  /** An answer of one member, which may lag: it only tells how far the store has come at least. */
  saw({ revision }: Header): void {
    if (revision > this.#highestRevision) this.#highestRevision = revision
  }

  /** What is known now: what the answer to a question asked now is held against, since we may know more by the time it comes. */
  snapshot(): StoreMemory {
    const then = new StoreMemory({ clusterId: this.#clusterId, revision: this.#highestRevision })
    then.#highestTerm = this.#highestTerm
    return then
  }

  /** @returns why this cannot be the store we know, undefined when it can; then its state is remembered */
  whyAnother({ clusterId, revision, raftTerm }: ClusterState): string | undefined {
    if (clusterId !== this.#clusterId) return `cluster ${clusterId} answers instead of ${this.#clusterId}`
    if (revision < this.#highestRevision) return `revision went back from ${this.#highestRevision} to ${revision}`
    if (raftTerm < this.#highestTerm) return `raft term went back from ${this.#highestTerm} to ${raftTerm}`
    this.#highestRevision = revision
    this.#highestTerm = raftTerm
    return undefined
  }
}
