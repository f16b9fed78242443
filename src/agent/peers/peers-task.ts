import type { LeaseKeeper } from '../../lease/keeper.ts'
import type { Revision } from '../../lease/lease.ts'
import type { PeerTable } from '../../lease/peers/peer-table.ts'
import type { LeaseDelta, LeaseList, LeaseRecord, LeaseWatchEvent, StoreIdentity } from '../../lease/store.ts'
import { isMassLoss, StalePeers } from '../../lease/peers/stale-peers.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { EntriesByFamily } from '../../backend/judge.ts'
import type { PeerSink } from './peer-sink.ts'
import type { StaleLeasesTask } from '../own-lease/stale-leases-task.ts'
import { StoreOutages } from './store-outages.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { RejectionLog } from './rejection-log.ts'
import { untilItWorks } from '../runtime/retry.ts'
import { isStopped, runTogether, type Task, type TaskContext } from '../runtime/task.ts'

export interface PeersTaskInput {
  readonly ports: AgentPorts
  readonly peers: PeerTable<EntriesByFamily>
  /** One for each device. */
  readonly sinks: readonly PeerSink[]
  readonly keeper: LeaseKeeper
  /** The list the lease was chosen on, or that confirmed it. */
  readonly list: LeaseList
  /** Revision in which our lease was written last. */
  readonly ownRevision: Revision
  /** Whether the overlay forwards, for the log. */
  readonly isForwarding: () => boolean
  /** How long peers are kept whose leases a fault of the store has taken, in milliseconds. */
  readonly stalePeerGraceMs: number
  readonly staleLeases: Pick<StaleLeasesTask, 'observe'>
}

/**
 * A peer whose lease was deleted is kept this long, in milliseconds: every agent of ours puts its own lease back at once, a round trip
 * through etcd later, and no packet need be lost meanwhile.
 */
const LINGER_MS = 500
/** A list that takes longer has lost its way, in milliseconds: each of its pages has a deadline of its own. */
const LIST_BOUND_MS = 120_000
/** Without anything to release, a look this often, in milliseconds; only a ring matters. */
const IDLE_MS = 3_600_000

/** Follows the leases in etcd: a complete list, then every change after it, and a new list when the history is gone. */
export class PeersTask implements Task {
  readonly name = 'peers'
  readonly #input: PeersTaskInput
  readonly #rejectionLog: RejectionLog
  /** Kept after a fault of the store. */
  readonly #stale = new StalePeers()
  /** Kept for a moment after their leases were deleted. */
  readonly #lingering = new StalePeers()
  readonly #keptChanged = new Wakeup()
  readonly #storeOutages: StoreOutages

  constructor(input: PeersTaskInput) {
    this.#input = input
    this.#rejectionLog = new RejectionLog(input.ports)
    this.#storeOutages = new StoreOutages({
      conditions: input.ports.conditions,
      onBack: () => {
        input.keeper.renewSoon()
      },
      isForwarding: input.isForwarding,
    })
    // an older list knows nothing of our lease as it is now; the watch that begins there tells the rest
    if (input.list.revision >= input.ownRevision) this.#observeOwn(input.list.records)
    input.peers.replaceAll(input.list.records)
    for (const record of input.list.records) input.staleLeases.observe(record)
    for (const sink of input.sinks) sink.allowPruning()
    this.#passOn()
  }

  async run(context: TaskContext): Promise<void> {
    await runTogether(
      [
        { name: 'follow', run: (own) => this.#follow(own) },
        { name: 'release', run: (own) => this.#release(own) },
      ],
      context,
    )
  }

  /** What is around us has changed: judges every lease anew. */
  rejudge(): void {
    this.#input.peers.rejudge()
    this.#passOn()
  }

  async #follow(context: TaskContext): Promise<void> {
    const { ports } = this.#input
    const { signal, watchdog } = context
    let from: StoreIdentity = this.#input.list
    while (!isStopped(signal)) {
      const wasReset = await this.#watch(from, signal)
      if (isStopped(signal)) break
      const read = (): Promise<LeaseList> => watchdog.during('list of leases', LIST_BOUND_MS, ports.store.list(signal))
      const list = await untilItWorks('list of leases', read, ports, context)
      this.#applyList(list, wasReset)
      from = list
    }
  }

  /** @returns whether the watch ended because the store is not the one it was */
  async #watch(from: StoreIdentity, signal: AbortSignal): Promise<boolean> {
    let wasReset = false
    for await (const event of this.#input.ports.store.watch(from, signal, this.#storeOutages)) {
      this.#apply(event)
      wasReset = event.kind === 'reset'
    }
    return wasReset
  }

  #apply(event: LeaseWatchEvent): void {
    const { ports } = this.#input
    if (event.kind === 'compacted')
      ports.log.info('etcd has compacted the history we need; listing again', {
        revision: String(event.compactRevision),
      })
    else if (event.kind === 'reset') ports.log.warn(`etcd is not what it was: ${event.reason}; listing again`)
    else {
      const gone = event.deltas.flatMap((delta) => (delta.kind === 'deleted' ? [delta.key] : []))
      for (const delta of event.deltas) this.#applyDelta(delta)
      this.#part(gone)
      this.#passOn()
    }
  }

  #applyDelta(delta: LeaseDelta): void {
    const { peers, keeper, staleLeases } = this.#input
    if (delta.kind === 'put') staleLeases.observe(delta.record)
    const key = delta.kind === 'put' ? delta.record.key : delta.key
    this.#settle(key)
    if (key === keeper.key) keeper.observe(delta)
    else if (delta.kind === 'put') peers.put(delta.record)
  }

  /** The peer is back, or its fate is decided otherwise. */
  #settle(key: string): void {
    this.#stale.settle(key)
    this.#lingering.settle(key)
  }

  /**
   * Leases were deleted in one revision: their peers are kept for a moment; if they were most of all, it was no node that ended but
   * somebody who swept etcd clean, and they are kept for longer. Whoever has a lease and claims what a kept one had gets it at once.
   */
  #part(gone: readonly string[]): void {
    const { peers, keeper, stalePeerGraceMs } = this.#input
    const parted = gone.filter((key) => key !== keeper.key)
    if (parted.length === 0) return
    const inForce = parted.filter((key) => peers.isInForce(key))
    const isMass = stalePeerGraceMs > 0 && isMassLoss(inForce.length, peers.size, parted.length < gone.length)
    for (const key of parted) peers.retire(key)
    if (isMass) this.#hold(inForce)
    this.#linger(isMass ? parted.filter((key) => !this.#stale.has(key)) : parted)
  }

  #linger(keys: readonly string[]): void {
    this.#lingering.hold(keys, this.#input.ports.clock.monotonicMs() + LINGER_MS)
    this.#keptChanged.ring()
  }

  #applyList(list: LeaseList, wasReset: boolean): void {
    const { peers, staleLeases } = this.#input
    const listed = new Set(list.records.map(({ key }) => key))
    for (const key of listed) this.#settle(key)
    this.#observeOwn(list.records)
    this.#holdMissing(listed, wasReset)
    peers.replaceAll(list.records, new Set([...this.#stale.keys(), ...this.#lingering.keys()]))
    for (const record of list.records) staleLeases.observe(record)
    this.#passOn()
  }

  #observeOwn(records: readonly LeaseRecord[]): void {
    const { keeper } = this.#input
    keeper.observeList(records.find(({ key }) => key === keeper.key))
  }

  /** After a fault of the store, peers that are missing are kept for a while: their nodes will publish themselves again. */
  #holdMissing(listed: ReadonlySet<string>, wasReset: boolean): void {
    const { peers, keeper } = this.#input
    const isMissing = (key: string): boolean => !listed.has(key) && !this.#stale.has(key) && !this.#lingering.has(key)
    const missing = [...peers.knownKeys].filter((key) => isMissing(key) && peers.isInForce(key))
    if (missing.length === 0) return
    if (wasReset || isMassLoss(missing.length, peers.size, !listed.has(keeper.key))) this.#hold(missing)
  }

  #hold(keys: readonly string[]): void {
    const { ports, stalePeerGraceMs } = this.#input
    const fields = { peers: keys.length, seconds: stalePeerGraceMs / 1_000 }
    if (stalePeerGraceMs === 0) ports.log.error('etcd has lost leases of peers; giving them up, as configured', fields)
    else
      ports.log.error(
        'etcd has lost leases of peers; their entries are kept for a while, until they publish themselves again',
        fields,
      )
    this.#stale.hold(keys, ports.clock.monotonicMs() + stalePeerGraceMs)
    this.#keptChanged.ring()
  }

  /** Gives up those whose time is over. */
  async #release({ signal, rest }: Loop): Promise<void> {
    const { ports, peers } = this.#input
    while (!isStopped(signal)) {
      const nowMs = ports.clock.monotonicMs()
      const [stale, gone] = [this.#stale.takeExpired(nowMs), this.#lingering.takeExpired(nowMs)]
      for (const key of [...stale, ...gone]) peers.delete(key)
      if (stale.length > 0)
        ports.log.warn('peers did not publish themselves again; giving them up', { peers: stale.length })
      if (stale.length + gone.length > 0) this.#passOn()
      await rest(this.#nextReleaseMs() - nowMs, this.#keptChanged)
    }
  }

  #nextReleaseMs(): number {
    const idleUntilMs = this.#input.ports.clock.monotonicMs() + IDLE_MS
    return Math.min(this.#stale.nextExpiryMs() ?? idleUntilMs, this.#lingering.nextExpiryMs() ?? idleUntilMs)
  }

  #passOn(): void {
    const { peers, sinks, ports } = this.#input
    for (const { key, entries } of peers.drain()) {
      for (const sink of sinks) sink.setPeer(key, entries)
      ports.log.debug(entries === undefined ? 'peer gone' : 'peer changed', { lease: key })
    }
    this.#rejectionLog.say(peers.rejected)
    for (const sink of sinks) sink.wake()
  }
}
