import type { EtcdLeaseId, PeerRecord, Revision } from './lease.ts'

/**
 * One key below `PREFIX/subnets/` as the store holds it, not yet believed: decoding and rejecting is `lease/codec.ts`' business,
 * so that a malformed neighbour can never stop a list or a watch.
 */
export interface LeaseRecord extends PeerRecord {
  readonly etcdLeaseId: EtcdLeaseId
}

export type LeaseDelta =
  | { readonly kind: 'put'; readonly record: LeaseRecord; readonly revision: Revision }
  | { readonly kind: 'deleted'; readonly key: string; readonly revision: Revision }

export type LeaseWatchEvent =
  /** All changes of one revision, in order. */
  | { readonly kind: 'deltas'; readonly revision: Revision; readonly deltas: readonly LeaseDelta[] }
  /** The history we would have to resume from is gone: list again. The stream ends after this. */
  | { readonly kind: 'compacted'; readonly compactRevision: Revision }
  /** The store is another one, or its history is (restored): list again. Deltas before it may be of that other history. The stream ends after this. */
  | { readonly kind: 'reset'; readonly reason: string }

/** Identity of the store, to notice that it was replaced under us. */
export interface StoreIdentity {
  readonly clusterId: string
  readonly revision: Revision
  /** What stood there at that revision: with it, a store restored from an older copy is recognised however far it has come since. */
  readonly records?: readonly LeaseRecord[]
}

export interface LeaseList extends StoreIdentity {
  readonly records: readonly LeaseRecord[]
}

/** Result of a compare-and-set: done, or what stands there instead (undefined: the key is gone). */
export type CasResult =
  { readonly ok: true; readonly record: LeaseRecord } | { readonly ok: false; readonly found: LeaseRecord | undefined }

/** How long a new key lives without renewal; `'reservation'` is for ever, on no etcd lease. */
export type KeyLifetime =
  | { readonly kind: 'grant'; readonly ttlSeconds: number }
  | { readonly kind: 'attach'; readonly etcdLeaseId: EtcdLeaseId }
  | { readonly kind: 'reservation' }

/** Names below `PREFIX/subnets/` from one up to another, which is not among them, in the order of their bytes. */
export interface NameRange {
  readonly from: string
  readonly to: string
}

/** What stands in the way of a new key, although the key itself is free: any of these names, if it was created after that revision. */
export interface Newcomers {
  readonly after: Revision
  readonly within: readonly NameRange[] | 'everywhere'
}

export type KeepAliveResult =
  /** Renewed: the store counts `ttlSeconds` from now. */
  | { readonly alive: true; readonly ttlSeconds: number }
  /** The etcd lease has expired or was revoked; the key is gone with it. */
  | { readonly alive: false }

/**
 * Status names of gRPC (grpc: doc/statuscodes.md), in which a store says what went wrong, and three of our own: the caller's signal
 * fired; the store was closed; an answer that etcd never gives.
 */
export type StoreErrorCode =
  | 'OK'
  | 'CANCELLED'
  | 'UNKNOWN'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'
  | 'UNAUTHENTICATED'
  | 'ABORTED_BY_CALLER'
  | 'CLOSED'
  | 'PROTOCOL'

interface StoreErrorFields {
  readonly op: string
  readonly code: StoreErrorCode
  readonly retryable: boolean
  readonly message: string
  readonly cause?: unknown
  readonly root?: string | undefined
  readonly url?: string | undefined
  readonly parts?: readonly StoreError[] | undefined
}

/** A call to the store that failed. Errors are data: branch on the fields, never on the text. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly op: string
  readonly code: StoreErrorCode
  /** Whether trying the same again later can succeed without anybody changing our configuration. */
  readonly retryable: boolean
  /** What it comes from, in a word that is the same whichever endpoint was asked, and when: `ECONNREFUSED`; undefined: no more than `code` says. */
  readonly root: string | undefined
  /** The endpoint that was asked; undefined: none, or several. */
  readonly url: string | undefined
  /** Where several endpoints failed for different reasons: of each its own. */
  readonly parts: readonly StoreError[]

  constructor(fields: StoreErrorFields) {
    super(fields.message, { cause: fields.cause })
    this.op = fields.op
    this.code = fields.code
    this.retryable = fields.retryable
    this.root = fields.root
    this.url = fields.url
    this.parts = fields.parts ?? []
  }
}

/** Raw network configuration under `PREFIX/config`; undefined while the key does not exist. */
export interface ConfigRecord {
  readonly value: string
  readonly modRevision: Revision
}

/**
 * Port: where leases live. All calls reject with {@link StoreError}, and never hang: each has a deadline of its own besides `signal`.
 * Every write is a compare-and-set against what the caller last saw.
 */
export interface LeaseStore {
  /** `PREFIX/config`. */
  readConfig(signal: AbortSignal): Promise<ConfigRecord | undefined>

  /**
   * What `PREFIX/config` says now, then what it says after every change, over reconnects, compactions and restored stores for as long
   * as it takes: the last word always comes. What follows quickly may be left out, and the same may come twice. Nothing is written.
   * Ends when `signal` aborts, or the store is closed.
   */
  watchConfig(signal: AbortSignal): AsyncIterable<ConfigRecord | undefined>

  /** All lease keys of one revision, read in pages. */
  list(signal: AbortSignal): Promise<LeaseList>

  /**
   * Changes after `fromRevision`, none lost and none twice, in revision order, over reconnects for as long as it takes.
   * `onConnected` and `onDisconnected` tell about the connection; neither is a reason to change anything in the kernel.
   * Ends when `signal` aborts, and after `compacted` or `reset`.
   */
  watch(from: StoreIdentity, signal: AbortSignal, status?: WatchStatus): AsyncIterable<LeaseWatchEvent>

  /**
   * Creates the key if it does not exist (`version(key) == 0`) and nobody in `unless` was faster, in one transaction. A new etcd lease that
   * was not needed is revoked.
   * @returns when refused, what stands at the key; nothing does when it was one of the newcomers that stood in the way
   */
  create(key: string, value: string, lifetime: KeyLifetime, signal: AbortSignal, unless?: Newcomers): Promise<CasResult>

  /** Writes a new value if the key's mod_revision is still `seen.modRevision`; keeps the etcd lease it hangs on (or none), unless `lifetime` is given. */
  replace(seen: LeaseRecord, value: string, signal: AbortSignal, lifetime?: KeyLifetime): Promise<CasResult>

  /** Deletes the key if its mod_revision is still `seen.modRevision`; true also when it is already gone. */
  remove(seen: LeaseRecord, signal: AbortSignal): Promise<boolean>

  /**
   * Gives a lease back for good: deletes the key if it still is just as seen, revision and value, and then ends the etcd lease that it
   * hung on, unless something else hangs on that; true also when the key is already gone.
   */
  release(seen: LeaseRecord, signal: AbortSignal): Promise<boolean>

  /**
   * The key as it stood at a revision that is past, or was the last one seen.
   * @returns undefined: there was none; `compacted`: the store does not know any more
   */
  saidAt(key: string, revision: Revision, signal: AbortSignal): Promise<LeaseRecord | undefined | 'compacted'>

  /** Renews the etcd lease once. Does not touch the key and wakes no watcher. */
  keepAlive(etcdLeaseId: EtcdLeaseId, signal: AbortSignal): Promise<KeepAliveResult>

  /** Our own address has changed: connections made with the old one are dead, though nothing says so. New ones are made. */
  refreshConnections(): void

  close(): void
}

export interface WatchStatus {
  onConnected?(): void
  /** Called once per loss, with what the connection died of. */
  onDisconnected?(error: StoreError): void
  /** Called for each attempt after that which failed as well, with what it failed with. */
  onStillAway?(error: StoreError): void
}
