import { checkEtcdAccess } from '../config/endpoints.ts'
import { LONGEST_CONFIGURATION } from '../config/network.ts'
import type { EtcdAccess } from '../config/options.ts'
import type { Challenge, Challenger, Challenges } from '../lease/challenges.ts'
import { NO_ETCD_LEASE, type EtcdLeaseId, type Revision } from '../lease/lease.ts'
import { quietMs } from '../lease/proof.ts'
import {
  StoreError,
  type CasResult,
  type ConfigRecord,
  type KeepAliveResult,
  type KeyLifetime,
  type LeaseDelta,
  type LeaseList,
  type LeaseRecord,
  type LeaseStore,
  type LeaseWatchEvent,
  type Newcomers,
  type StoreIdentity,
  type WatchStatus,
} from '../lease/store.ts'
import type { Clock, Random } from '../time/clock.ts'
import { Caller } from './client/call.ts'
import { EtcdChallenges } from './challenges.ts'
import { EtcdExamination } from './examination.ts'
import { listenToConfig } from './config-listener.ts'
import { Connection } from './client/connection.ts'
import {
  EndpointRing,
  EndpointStates,
  parseEndpoints,
  type CallCounts,
  type EndpointState,
} from './client/endpoints.ts'
import { keepAliveOnce } from './keep-alive.ts'
import { askLives, type LeaseLife } from './lease-lives.ts'
import { CONFIG, Keyspace } from './keys/keyspace.ts'
import { listKeys } from './keys/list.ts'
import { readRange } from './keys/answer.ts'
import { readPastRecord } from './keys/same-history.ts'
import { serverClock, type ServerClock } from './server-clock.ts'
import { TlsFiles } from './client/tls.ts'
import { WhoAnswers } from './client/who-answers.ts'
import { KeyWatch, type WatchTools } from './keys/watch.ts'
import { KeyWriter } from './keys/write.ts'

/** What the store takes from outside; times and sizes have defaults. */
export interface EtcdTools {
  readonly clock: Clock
  readonly random: Random
  /** Time limit of one call. */
  readonly callTimeoutMs?: number
  /** Told of every request. */
  readonly counts?: CallCounts
  /** Keys per request of a list. */
  readonly pageSize?: number
}

/** Done, or what stands there instead (undefined: there is none). */
export type ConfigWrite =
  | { readonly ok: true; readonly record: ConfigRecord }
  | { readonly ok: false; readonly found: ConfigRecord | undefined }

const CALL_TIMEOUT_MS = 5_000
const PAGE_SIZE = 1_000

/** The ports over a real etcd, API v3. */
export class EtcdLeaseStore implements LeaseStore, Challenges {
  /** Those that etcd is met with; undefined without TLS. */
  readonly certificates: TlsFiles | undefined
  /** Questions of whoever wants to know why an agent fares badly with this etcd. */
  readonly examination: EtcdExamination
  readonly #keyspace: Keyspace
  readonly #configuration: Keyspace
  readonly #caller: Caller
  readonly #writer: KeyWriter
  readonly #challenges: EtcdChallenges
  readonly #tools: WatchTools
  readonly #pageSize: number
  /** As far as a list and what was watched since tell. */
  #leases = 0
  readonly #states: EndpointStates

  /**
   * Connects to nothing yet.
   * @throws {ConfigError} for a malformed endpoint, unreadable TLS files, or flags that contradict each other
   */
  constructor(options: EtcdAccess, tools: EtcdTools) {
    const addresses = parseEndpoints(options.endpoints)
    checkEtcdAccess(options)
    const { clock, random, callTimeoutMs = CALL_TIMEOUT_MS, pageSize = PAGE_SIZE, counts } = tools
    this.#keyspace = Keyspace.leases(options.prefix)
    this.#configuration = this.#keyspace.configuration(LONGEST_CONFIGURATION)
    this.certificates = addresses.some(({ secure }) => secure) ? new TlsFiles(options) : undefined
    const whoAnswers = new WhoAnswers(clock)
    const askedAfterMs = (): number => quietMs(this.#leases)
    const connectionTools = {
      clock,
      random,
      quietMs: askedAfterMs,
      whoAnswers,
      probeKey: this.#keyspace.config,
      tls: this.certificates,
    }
    const ring = new EndpointRing(addresses, (address) => new Connection(address, options, connectionTools), random)
    this.#states = new EndpointStates(
      addresses.map(({ url }) => url),
      counts,
    )
    this.#caller = new Caller(ring, callTimeoutMs, this.#states)
    this.examination = new EtcdExamination(this.#caller, options)
    this.#writer = new KeyWriter(this.#caller, this.#keyspace)
    this.#tools = { caller: this.#caller, keyspace: this.#keyspace, clock, random, openTimeoutMs: callTimeoutMs }
    this.#challenges = new EtcdChallenges(this.#tools)
    this.#pageSize = pageSize
  }

  /** How its addresses are, as far as somebody has asked there. */
  get endpoints(): readonly EndpointState[] {
    return this.#states.all
  }

  /** The clock of the first address that tells it. @param wallMs ours */
  clock(wallMs: () => number, signal: AbortSignal): Promise<ServerClock | undefined> {
    return serverClock(
      this.endpoints.map(({ url }) => url),
      this.certificates,
      wallMs,
      signal,
    )
  }

  async readConfig(signal: AbortSignal): Promise<ConfigRecord | undefined> {
    const { range } = this.#configuration
    const { records } = await readRange(this.#caller, this.#configuration, 'readConfig', range, signal)
    return records[0]
  }

  /**
   * Writes the configuration if it is still as seen (undefined: there is none), to the last octet.
   * @returns what stands there instead where it is not
   * @throws {StoreError}
   */
  async writeConfig(seen: ConfigRecord | undefined, value: string, signal: AbortSignal): Promise<ConfigWrite> {
    const record = seen && { ...seen, key: CONFIG, etcdLeaseId: NO_ETCD_LEASE, createRevision: seen.modRevision }
    const put = { op: 'writeConfig', key: CONFIG, value, seen: record, isValueCompared: true } as const
    const writer = new KeyWriter(this.#caller, this.#configuration)
    const result = await writer.put(put, { kind: 'reservation' }, signal)
    return result.ok ? { ok: true, record: result.record } : result
  }

  /** How long etcd leases have left, as far as we may know and can ask in two seconds; those that are over are left out. @throws {StoreError} */
  livesOf(etcdLeases: Iterable<EtcdLeaseId>, signal: AbortSignal): Promise<ReadonlyMap<EtcdLeaseId, LeaseLife>> {
    return askLives(this.#caller, etcdLeases, this.#tools.clock, signal)
  }

  watchConfig(signal: AbortSignal): AsyncIterable<ConfigRecord | undefined> {
    return listenToConfig({ ...this.#tools, keyspace: this.#configuration }, signal)
  }

  async list(signal: AbortSignal): Promise<LeaseList> {
    const list = await listKeys(this.#caller, this.#keyspace, this.#pageSize, signal)
    this.#leases = list.records.length
    return list
  }

  /** What it begins with, a list of all leases perhaps, is let go before the first event: a watch lasts for weeks. */
  watch(
    from: StoreIdentity,
    signal: AbortSignal,
    status: WatchStatus = {},
  ): AsyncGenerator<LeaseWatchEvent, void, undefined> {
    return this.#watched(new KeyWatch(this.#tools, from, status), signal)
  }

  async *#watched(watch: KeyWatch, signal: AbortSignal): AsyncGenerator<LeaseWatchEvent, void, undefined> {
    for await (const event of watch.run(signal)) {
      if (event.kind === 'deltas') for (const delta of event.deltas) this.#count(delta)
      yield event
    }
  }

  /** What several watches tell is counted several times, until the next list; it is about thousands. */
  #count(delta: LeaseDelta): void {
    if (delta.kind === 'deleted') this.#leases -= 1
    else if (delta.record.createRevision === delta.record.modRevision) this.#leases += 1
  }

  create(
    key: string,
    value: string,
    lifetime: KeyLifetime,
    signal: AbortSignal,
    unless?: Newcomers,
  ): Promise<CasResult> {
    const put = { op: 'create', key, value, seen: undefined } as const
    return this.#writer.put({ ...put, unless }, lifetime, signal).catch((error: unknown) => {
      if (unless === undefined || !isTooManyOperations(error)) throw error
      const rougher = { after: unless.after, within: 'everywhere' } as const
      return this.#writer.put({ ...put, unless: rougher }, lifetime, signal)
    })
  }

  replace(seen: LeaseRecord, value: string, signal: AbortSignal, lifetime?: KeyLifetime): Promise<CasResult> {
    const same: KeyLifetime = { kind: 'attach', etcdLeaseId: seen.etcdLeaseId }
    return this.#writer.put({ op: 'replace', key: seen.key, value, seen }, lifetime ?? same, signal)
  }

  remove(seen: LeaseRecord, signal: AbortSignal): Promise<boolean> {
    return this.#writer.remove(seen, signal)
  }

  release(seen: LeaseRecord, signal: AbortSignal): Promise<boolean> {
    return this.#writer.release(seen, signal)
  }

  saidAt(key: string, revision: Revision, signal: AbortSignal): Promise<LeaseRecord | undefined | 'compacted'> {
    return readPastRecord(this.#caller, this.#keyspace, { key, revision }, signal)
  }

  keepAlive(etcdLeaseId: EtcdLeaseId, signal: AbortSignal): Promise<KeepAliveResult> {
    return keepAliveOnce(this.#caller, etcdLeaseId, signal)
  }

  ask(key: string, from: Challenger, waitMs: number, signal: AbortSignal): Promise<Challenger | undefined> {
    return this.#challenges.ask(key, from, waitMs, signal)
  }

  challenges(key: string, signal: AbortSignal): AsyncIterable<Challenge> {
    return this.#challenges.challenges(key, signal)
  }

  answer(challenge: Challenge, by: Challenger, signal: AbortSignal): Promise<boolean> {
    return this.#challenges.answer(challenge, by, signal)
  }

  takeBack(nodeId: string, signal: AbortSignal): Promise<void> {
    return this.#challenges.takeBack(nodeId, signal)
  }

  refreshConnections(): void {
    this.#caller.refresh()
  }

  close(): void {
    this.#caller.close()
  }
}

/** An etcd of which somebody has lowered `--max-txn-ops` (128), which counts compares too: one over everybody does as well. */
const isTooManyOperations = (error: unknown): boolean =>
  error instanceof StoreError && error.code === 'INVALID_ARGUMENT' && error.message.includes('too many operations')
