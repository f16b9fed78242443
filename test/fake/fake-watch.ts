import { EventQueue } from '../../src/etcd/keys/event-queue.ts'
import type { StoreError, LeaseWatchEvent, StoreIdentity, WatchStatus } from '../../src/lease/store.ts'
import type { Change, FakeEtcd } from './fake-etcd.ts'

/** One watch on a {@link FakeEtcd} over a connection that can be cut; what changed meanwhile arrives after the next `connect`. */
export class FakeWatch {
  readonly #etcd: FakeEtcd
  readonly #from: StoreIdentity
  readonly #status: WatchStatus
  readonly #queue = new EventQueue<LeaseWatchEvent>()
  readonly #unlisten: () => void
  /** Revision of the last event handed out. */
  #seen: bigint
  /** Highest revision the store was known to be at. */
  #highest: bigint
  /** Restores of the store until we last knew its history to be ours. */
  #restores: number
  #connection: 'unknown' | 'up' | 'down' = 'unknown'
  #ended = false

  constructor(etcd: FakeEtcd, from: StoreIdentity, status: WatchStatus) {
    this.#etcd = etcd
    this.#from = from
    this.#status = status
    this.#seen = this.#highest = from.revision
    this.#restores = etcd.restores
    this.#unlisten = etcd.listen((change) => {
      if (this.#connection === 'up') this.#deliver(change)
    })
  }

  connect(): void {
    if (this.#connection === 'up' || this.#ended) return
    const ending = this.#reasonToEnd()
    if (ending !== undefined) {
      this.#queue.push(ending)
      this.stop()
      return
    }
    this.#connection = 'up'
    this.#restores = this.#etcd.restores
    this.#highest = this.#etcd.revision
    this.#status.onConnected?.()
    for (const change of this.#etcd.changesFrom(this.#seen + 1n) ?? []) this.#deliver(change)
  }

  disconnect(error: StoreError): void {
    if (this.#connection === 'down' || this.#ended) return
    this.#connection = 'down'
    this.#status.onDisconnected?.(error)
  }

  /** What was delivered can still be read. */
  stop(): void {
    this.#ended = true
    this.#connection = 'down'
    this.#unlisten()
    this.#queue.end()
  }

  /** Nothing comes out any more. */
  abandon(): void {
    this.stop()
    this.#queue.abandon()
  }

  events(): AsyncIterable<LeaseWatchEvent> {
    return this.#queue
  }

  #reasonToEnd(): LeaseWatchEvent | undefined {
    const { clusterId, revision, compactRevision } = this.#etcd
    if (clusterId !== this.#from.clusterId) return { kind: 'reset', reason: 'another cluster id' }
    if (revision < this.#highest) return { kind: 'reset', reason: 'the revision went back' }
    if (this.#etcd.restoredBelow(this.#highest, this.#restores)) return { kind: 'reset', reason: 'another history' }
    return this.#seen < compactRevision ? { kind: 'compacted', compactRevision } : undefined
  }

  #deliver({ revision, deltas }: Change): void {
    this.#seen = this.#highest = revision
    this.#queue.push({ kind: 'deltas', revision, deltas })
  }
}
