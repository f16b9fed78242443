import { NO_ETCD_LEASE, type EtcdLeaseId, type Revision } from '../../src/lease/lease.ts'
import type { ConfigRecord, LeaseDelta, LeaseRecord } from '../../src/lease/store.ts'

interface EtcdLease {
  readonly ttlSeconds: number
  readonly expiresAtMs: number
}

interface State {
  readonly clusterId: string
  revision: Revision
  compactRevision: Revision
  config: ConfigRecord | undefined
  readonly records: Map<string, LeaseRecord>
  /** Named `LEASE_KEY/ID`. */
  readonly challenges: Map<string, LeaseRecord>
  readonly etcdLeases: Map<EtcdLeaseId, EtcdLease>
  history: Change[]
  /** Every version of every key, whatever was compacted. */
  versions: Change[]
}

/** All lease changes of one revision. */
export interface Change {
  readonly revision: Revision
  readonly deltas: readonly LeaseDelta[]
}

/** Opaque copy of everything an etcd held. */
export interface EtcdSnapshot {
  readonly state: Readonly<State>
}

const emptyState = (clusterId: string): State => ({
  clusterId,
  revision: 1n,
  compactRevision: 0n,
  config: undefined,
  records: new Map(),
  challenges: new Map(),
  etcdLeases: new Map(),
  history: [],
  versions: [],
})

const copyOf = (state: State): State => ({
  ...state,
  records: new Map(state.records),
  challenges: new Map(state.challenges),
  etcdLeases: new Map(state.etcdLeases),
  history: [...state.history],
  versions: [...state.versions],
})

/**
 * What an etcd cluster does for `PREFIX/`, in memory and synchronous: revisions, leases, history, compaction. Any number of
 * {@link FakeLeaseStore}s (nodes) can share one. Time stands still until {@link FakeEtcd.advance}.
 */
export class FakeEtcd {
  #state: State = emptyState('1000')
  readonly #restoredTo: Revision[] = []
  #nowMs = 0
  #grants = 0
  #clusters = 1000
  readonly #listeners = new Set<(change: Change) => void>()
  readonly #challengeListeners = new Set<() => void>()
  readonly #configListeners = new Set<() => void>()
  readonly #replacedListeners = new Set<() => void>()

  get clusterId(): string {
    return this.#state.clusterId
  }
  get revision(): Revision {
    return this.#state.revision
  }
  get compactRevision(): Revision {
    return this.#state.compactRevision
  }
  get config(): ConfigRecord | undefined {
    return this.#state.config
  }
  /** In key order, as etcd lists them. */
  get records(): readonly LeaseRecord[] {
    return [...this.#state.records.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  }
  get etcdLeaseIds(): readonly EtcdLeaseId[] {
    return [...this.#state.etcdLeases.keys()]
  }

  /** What stands below `PREFIX/challenges/`. */
  get challenges(): ReadonlyMap<string, LeaseRecord> {
    return this.#state.challenges
  }

  get(key: string): LeaseRecord | undefined {
    return this.#state.records.get(key)
  }

  /** @returns undefined when `etcdLeaseId` is not (or no longer) granted */
  put(key: string, value: string, etcdLeaseId: EtcdLeaseId = NO_ETCD_LEASE): LeaseRecord | undefined {
    if (etcdLeaseId !== NO_ETCD_LEASE && !this.#state.etcdLeases.has(etcdLeaseId)) return undefined
    const revision = this.revision + 1n
    const createRevision = this.get(key)?.createRevision ?? revision
    const record = { key, value, etcdLeaseId, createRevision, modRevision: revision }
    this.#commit([{ kind: 'put', record, revision }])
    return record
  }

  /** @returns whether there was such a key */
  delete(key: string): boolean {
    if (!this.#state.records.has(key)) return false
    this.#deleteAll([key])
    return true
  }

  /** @param name `LEASE_KEY/ID` */
  putChallenge(name: string, value: string, etcdLeaseId: EtcdLeaseId = NO_ETCD_LEASE): void {
    const modRevision = (this.#state.revision += 1n)
    const createRevision = this.challenges.get(name)?.createRevision ?? modRevision
    this.#state.challenges.set(name, { key: name, value, etcdLeaseId, createRevision, modRevision })
    this.#challengesChanged()
  }

  deleteChallenge(name: string): void {
    if (!this.#state.challenges.delete(name)) return
    this.#state.revision += 1n
    this.#challengesChanged()
  }

  putConfig(value: string): void {
    this.#state.revision += 1n
    this.#state.config = { value, modRevision: this.revision }
    this.#configChanged()
  }

  deleteConfig(): void {
    this.#state.revision += 1n
    this.#state.config = undefined
    this.#configChanged()
  }

  grant(ttlSeconds: number): EtcdLeaseId {
    this.#grants += 1
    const id = String(7587848390000000000n + BigInt(this.#grants))
    this.#state.etcdLeases.set(id, { ttlSeconds, expiresAtMs: this.#nowMs + ttlSeconds * 1000 })
    return id
  }

  /** @returns the full time to live in seconds, undefined when the etcd lease is gone */
  renew(id: EtcdLeaseId): number | undefined {
    const found = this.#state.etcdLeases.get(id)
    if (found === undefined) return undefined
    this.#state.etcdLeases.set(id, { ...found, expiresAtMs: this.#nowMs + found.ttlSeconds * 1000 })
    return found.ttlSeconds
  }

  /** Ends an etcd lease with all keys on it, in one revision. */
  revoke(id: EtcdLeaseId): boolean {
    if (!this.#state.etcdLeases.delete(id)) return false
    for (const [name, record] of this.challenges) if (record.etcdLeaseId === id) this.#state.challenges.delete(name)
    this.#challengesChanged()
    this.#deleteAll(this.records.filter((record) => record.etcdLeaseId === id).map((record) => record.key))
    return true
  }

  /** Ends an etcd lease on which nothing hangs. */
  revokeBare(id: EtcdLeaseId): void {
    const hangs = [...this.records, ...this.challenges.values()].some(({ etcdLeaseId }) => etcdLeaseId === id)
    if (!hangs) this.revoke(id)
  }

  /** Moves the clock; what expires on the way does so in order. */
  advance(ms: number): void {
    this.#nowMs += ms
    const due = [...this.#state.etcdLeases].filter(([, lease]) => lease.expiresAtMs <= this.#nowMs)
    for (const [id] of due.sort(([, a], [, b]) => a.expiresAtMs - b.expiresAtMs)) this.revoke(id)
  }

  /** Forgets all history before `revision`. */
  compact(revision: Revision = this.revision): void {
    this.#state.compactRevision = revision
    this.#state.history = this.#state.history.filter((change) => change.revision >= revision)
  }

  /** Changes from `revision` on; undefined when that history is gone. */
  changesFrom(revision: Revision): readonly Change[] | undefined {
    if (revision < this.compactRevision) return undefined
    return this.#state.history.filter((change) => change.revision >= revision)
  }

  /** The key as it stood at a revision; undefined: there was none. */
  saidAt(key: string, revision: Revision): LeaseRecord | undefined | 'compacted' {
    if (revision < this.compactRevision) return 'compacted'
    const deltas = this.#state.versions
      .filter((change) => change.revision <= revision)
      .flatMap((change) => change.deltas)
    const last = deltas.findLast((delta) => (delta.kind === 'put' ? delta.record.key : delta.key) === key)
    return last?.kind === 'put' ? last.record : undefined
  }

  /** An empty data directory: a new cluster that starts counting again. With `sameClusterId` as when it was given the same names and token. */
  wipe(options: { readonly sameClusterId?: boolean } = {}): void {
    this.#clusters += 1
    this.#restoredTo.push(0n)
    this.#replace(emptyState(options.sameClusterId === true ? this.clusterId : String(this.#clusters)))
  }

  snapshot(): EtcdSnapshot {
    return { state: copyOf(this.#state) }
  }

  /** How often it was restored: given back to {@link FakeEtcd.restoredBelow}. */
  get restores(): number {
    return this.#restoredTo.length
  }

  /** Whether history up to `revision` is another one since so many restores. */
  restoredBelow(revision: Revision, since: number): boolean {
    return this.#restoredTo.slice(since).some((restoredTo) => restoredTo < revision)
  }

  /** Back to an earlier state and revision; etcd leases start again with their full time. */
  restore({ state }: EtcdSnapshot): void {
    this.#restoredTo.push(state.revision)
    this.#replace(copyOf(state))
    for (const id of this.etcdLeaseIds) this.renew(id)
  }

  /** Every change from now on, synchronously. @returns how to stop */
  listen(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Called after every change of challenges. @returns how to stop */
  onChallenges(listener: () => void): () => void {
    this.#challengeListeners.add(listener)
    return () => this.#challengeListeners.delete(listener)
  }

  /** Called after every change of the configuration. @returns how to stop */
  onConfig(listener: () => void): () => void {
    this.#configListeners.add(listener)
    return () => this.#configListeners.delete(listener)
  }

  /** Called when the state was swapped for another: to clients that looks like a restart. */
  onReplaced(listener: () => void): void {
    this.#replacedListeners.add(listener)
  }

  #challengesChanged(): void {
    for (const listener of [...this.#challengeListeners]) listener()
  }

  #configChanged(): void {
    for (const listener of [...this.#configListeners]) listener()
  }

  #replace(state: State): void {
    this.#state = state
    for (const listener of this.#replacedListeners) listener()
  }

  #deleteAll(keys: readonly string[]): void {
    const revision = this.revision + 1n
    if (keys.length > 0) this.#commit(keys.map((key) => ({ kind: 'deleted', key, revision })))
  }

  #commit(deltas: readonly LeaseDelta[]): void {
    const revision = this.revision + 1n
    for (const delta of deltas) {
      if (delta.kind === 'put') this.#state.records.set(delta.record.key, delta.record)
      else this.#state.records.delete(delta.key)
    }
    const change = { revision, deltas }
    this.#state.revision = revision
    this.#state.history.push(change)
    this.#state.versions.push(change)
    for (const listener of this.#listeners) listener(change)
  }
}
