import type { Challenge, Challenger, Challenges } from '../lease/challenges.ts'
import { NO_ETCD_LEASE, type EtcdLeaseId, type Revision } from '../lease/lease.ts'
import type {
  CasResult,
  ConfigRecord,
  KeepAliveResult,
  KeyLifetime,
  LeaseList,
  LeaseRecord,
  LeaseStore,
  LeaseWatchEvent,
  StoreIdentity,
} from '../lease/store.ts'
import type { Journal } from './journal.ts'
import { aborted } from './planned-kernel.ts'
import type { Activity } from './stillness.ts'

/** What stands in a store of leases at one moment. */
export interface StoreAtRest {
  readonly list: LeaseList
  readonly config: ConfigRecord | undefined
  /** What stood there before. */
  readonly saidAt: LeaseStore['saidAt']
}

/** Of a lease that is only planned. */
const PLANNED_LEASE: EtcdLeaseId = '1'
/** Leases have as long as etcd gives them anew, in seconds: when one ends is no part of the plan. */
const TTL_SECONDS = 86_400

/** The store as it is at one moment: nothing is written, nobody is asked, and nothing changes but by what is planned. */
export class PlannedStore implements LeaseStore, Challenges {
  readonly #journal: Journal
  readonly #activity: Activity
  readonly #rest: StoreAtRest
  readonly #records: Map<string, LeaseRecord>
  /** Keys of leases whose holders the agent would have asked whether they live. */
  readonly #unasked: Set<string>
  #revision: Revision

  constructor(rest: StoreAtRest, journal: Journal, activity: Activity, unasked: Set<string>) {
    this.#unasked = unasked
    this.#journal = journal
    this.#activity = activity
    this.#rest = rest
    this.#records = new Map(rest.list.records.map((record) => [record.key, record]))
    this.#revision = rest.list.revision
  }

  readConfig(): Promise<ConfigRecord | undefined> {
    return Promise.resolve(this.#rest.config)
  }

  async *watchConfig(signal: AbortSignal): AsyncGenerator<ConfigRecord | undefined, void, undefined> {
    yield this.#rest.config
    await aborted(signal)
  }

  list(): Promise<LeaseList> {
    const { clusterId } = this.#rest.list
    return Promise.resolve({ clusterId, revision: this.#revision, records: [...this.#records.values()] })
  }

  async *watch(_from: StoreIdentity, signal: AbortSignal): AsyncGenerator<LeaseWatchEvent, void, undefined> {
    await aborted(signal)
  }

  create(key: string, value: string, lifetime: KeyLifetime): Promise<CasResult> {
    const found = this.#records.get(key)
    if (found !== undefined) return Promise.resolve({ ok: false, found })
    this.#journal.add({ on: 'store', action: 'create', key, value })
    const revision = ++this.#revision
    const etcdLeaseId = leaseOf(lifetime)
    return this.#put({ key, value, etcdLeaseId, createRevision: revision, modRevision: revision })
  }

  replace(seen: LeaseRecord, value: string, _signal: AbortSignal, lifetime?: KeyLifetime): Promise<CasResult> {
    const found = this.#records.get(seen.key)
    if (found?.modRevision !== seen.modRevision) return Promise.resolve({ ok: false, found })
    this.#journal.add({ on: 'store', action: 'replace', key: seen.key, value })
    const etcdLeaseId = lifetime === undefined ? found.etcdLeaseId : leaseOf(lifetime)
    return this.#put({ ...found, value, etcdLeaseId, modRevision: ++this.#revision })
  }

  #put(record: LeaseRecord): Promise<CasResult> {
    this.#records.set(record.key, record)
    return Promise.resolve({ ok: true, record })
  }

  remove({ key, modRevision }: LeaseRecord): Promise<boolean> {
    const found = this.#records.get(key)
    if (found !== undefined && found.modRevision !== modRevision) return Promise.resolve(false)
    if (this.#records.delete(key)) this.#journal.add({ on: 'store', action: 'remove', key, value: '' })
    return Promise.resolve(true)
  }

  release(seen: LeaseRecord): Promise<boolean> {
    return this.remove(seen)
  }

  saidAt(key: string, revision: Revision, signal: AbortSignal): Promise<LeaseRecord | undefined | 'compacted'> {
    return this.#activity.during(this.#rest.saidAt(key, revision, signal))
  }

  keepAlive(): Promise<KeepAliveResult> {
    return Promise.resolve({ alive: true, ttlSeconds: TTL_SECONDS })
  }

  refreshConnections(): void {
    // there is none
  }

  /** To ask is to write: whoever would be asked is taken for dead. */
  ask(key: string): Promise<Challenger | undefined> {
    this.#unasked.add(key)
    return Promise.resolve(undefined)
  }

  async *challenges(_key: string, signal: AbortSignal): AsyncGenerator<Challenge, void, undefined> {
    await aborted(signal)
  }

  answer(): Promise<boolean> {
    return Promise.resolve(false)
  }

  takeBack(): Promise<void> {
    return Promise.resolve()
  }

  close(): void {
    // there is nothing to close
  }
}

function leaseOf(lifetime: KeyLifetime): EtcdLeaseId {
  if (lifetime.kind === 'attach') return lifetime.etcdLeaseId
  return lifetime.kind === 'reservation' ? NO_ETCD_LEASE : PLANNED_LEASE
}
