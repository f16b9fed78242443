import type { LeaseKeeper } from '../lease/keeper.ts'
import type { PeerTable } from '../lease/peers.ts'
import type { LeaseDelta, LeaseList, LeaseWatchEvent, StoreIdentity, WatchStatus } from '../lease/store.ts'
import { isMassLoss, StalePeers } from '../lease/stale-peers.ts'
import { Wakeup } from '../net/wakeup.ts'
import type { PeerEntries } from '../reconcile/entries.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'
import type { AgentPorts } from './ports.ts'
import { untilItWorks } from './retry.ts'
import { isStopped, runTogether } from './tasks.ts'

export interface PeersTaskInput {
  readonly ports: AgentPorts
  readonly peers: PeerTable<PeerEntries>
  readonly reconciler: Reconciler
  readonly keeper: LeaseKeeper
  /** The list the lease was chosen on. */
  readonly list: LeaseList
  readonly somethingToDo: Wakeup
}

/** How long peers are kept whose leases a fault of etcd has taken, in milliseconds. */
const STALE_PEER_GRACE_MS = 300_000

/** Follows the leases in etcd: a complete list, then every change after it, and a new list when the history is gone. */
export class PeersTask {
  readonly #input: PeersTaskInput
  /** Reasons already said, so that a bad lease is named once and not at every list. */
  readonly #saidRejected = new Map<string, string>()
  readonly #stale = new StalePeers()
  readonly #staleChanged = new Wakeup()

  constructor(input: PeersTaskInput) {
    this.#input = input
    input.peers.replaceAll(input.list.records)
    input.reconciler.allowPruning()
    this.#passOn()
  }

  async run(signal: AbortSignal): Promise<void> {
    await runTogether(
      [
        { name: 'follow', run: (stop) => this.#follow(stop) },
        { name: 'release', run: (stop) => this.#releaseStale(stop) },
      ],
      signal,
    )
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { ports } = this.#input
    let from: StoreIdentity = this.#input.list
    while (!isStopped(signal)) {
      const wasReset = await this.#watch(from, signal)
      if (isStopped(signal)) break
      const list = await untilItWorks('list of leases', () => ports.store.list(signal), ports, signal)
      this.#applyList(list, wasReset)
      from = list
    }
  }

  /** @returns whether the watch ended because the store is not the one it was */
  async #watch(from: StoreIdentity, signal: AbortSignal): Promise<boolean> {
    let wasReset = false
    for await (const event of this.#input.ports.store.watch(from, signal, this.#connectionStatus())) {
      this.#apply(event)
      wasReset = event.kind === 'reset'
    }
    return wasReset
  }

  #connectionStatus(): WatchStatus {
    const { ports, keeper } = this.#input
    let lost = false
    return {
      onConnected: () => {
        if (lost) ports.log.info('etcd answers again')
        if (lost) keeper.renewSoon()
        lost = false
      },
      onDisconnected: (error) => {
        lost = true
        ports.log.warn(`etcd is out of reach: ${error.message}; forwarding goes on as it is`)
      },
    }
  }

  #apply(event: LeaseWatchEvent): void {
    const { ports } = this.#input
    if (event.kind === 'compacted')
      ports.log.info('etcd has compacted the history we need; listing again', {
        revision: String(event.compactRevision),
      })
    else if (event.kind === 'reset') ports.log.warn(`etcd is not what it was: ${event.reason}; listing again`)
    else {
      for (const delta of event.deltas) this.#applyDelta(delta)
      this.#passOn()
    }
  }

  #applyDelta(delta: LeaseDelta): void {
    const { peers, keeper } = this.#input
    const key = delta.kind === 'put' ? delta.record.key : delta.key
    this.#stale.settle(key)
    if (key === keeper.key) keeper.observe(delta)
    else if (delta.kind === 'put') peers.put(delta.record)
    else peers.delete(key)
  }

  #applyList(list: LeaseList, wasReset: boolean): void {
    const { peers, keeper } = this.#input
    const listed = new Set(list.records.map(({ key }) => key))
    for (const key of listed) this.#stale.settle(key)
    this.#holdMissing(listed, wasReset)
    peers.replaceAll(list.records, this.#stale.keys())
    keeper.observeList(list.records.find(({ key }) => key === keeper.key))
    this.#passOn()
  }

  /** After a fault of the store, peers that are missing are kept for a while: their nodes will publish themselves again. */
  #holdMissing(listed: ReadonlySet<string>, wasReset: boolean): void {
    const { peers, ports } = this.#input
    const known = [...peers.knownKeys]
    const missing = known.filter((key) => !listed.has(key) && !this.#stale.has(key))
    if (missing.length === 0 || (!wasReset && !isMassLoss(missing.length, known.length))) return
    this.#stale.hold(missing, ports.clock.monotonicMs() + STALE_PEER_GRACE_MS)
    this.#staleChanged.ring()
    ports.log.error(
      'etcd has lost leases of peers; their entries are kept for a while, until they publish themselves again',
      {
        peers: missing.length,
        seconds: STALE_PEER_GRACE_MS / 1_000,
      },
    )
  }

  async #releaseStale(signal: AbortSignal): Promise<void> {
    const { ports, peers } = this.#input
    while (!isStopped(signal)) {
      const nowMs = ports.clock.monotonicMs()
      const expired = this.#stale.takeExpired(nowMs)
      for (const key of expired) peers.delete(key)
      if (expired.length > 0) {
        ports.log.warn('peers did not publish themselves again; giving them up', { peers: expired.length })
        this.#passOn()
      }
      const waitMs = (this.#stale.nextExpiryMs() ?? nowMs + STALE_PEER_GRACE_MS) - nowMs
      await this.#staleChanged.wait(ports.clock, waitMs, signal)
    }
  }

  #passOn(): void {
    const { peers, reconciler, somethingToDo, ports } = this.#input
    for (const { key, entries } of peers.drain()) {
      reconciler.setPeer(key, entries)
      ports.log.debug(entries === undefined ? 'peer gone' : 'peer changed', { lease: key })
    }
    this.#sayRejected()
    somethingToDo.ring()
  }

  #sayRejected(): void {
    const { rejected } = this.#input.peers
    for (const [key, reason] of rejected) {
      if (this.#saidRejected.get(key) === reason) continue
      this.#saidRejected.set(key, reason)
      this.#input.ports.log.warn('lease rejected', { lease: key, reason })
    }
    for (const key of this.#saidRejected.keys()) if (!rejected.has(key)) this.#saidRejected.delete(key)
  }
}
