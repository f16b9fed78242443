import type { LeaseKeeper } from '../lease/keeper.ts'
import type { PeerTable } from '../lease/peers.ts'
import type { StoreError } from '../lease/store.ts'
import { type LeaseDelta, type LeaseList, type LeaseWatchEvent, type StoreIdentity } from '../lease/store.ts'
import type { Wakeup } from '../net/wakeup.ts'
import type { PeerEntries } from '../reconcile/entries.ts'
import type { Reconciler } from '../reconcile/reconciler.ts'
import type { AgentPorts } from './ports.ts'
import { untilItWorks } from './retry.ts'
import { isStopped } from './tasks.ts'

export interface PeersTaskInput {
  readonly ports: AgentPorts
  readonly peers: PeerTable<PeerEntries>
  readonly reconciler: Reconciler
  readonly keeper: LeaseKeeper
  /** The list the lease was chosen on. */
  readonly list: LeaseList
  readonly somethingToDo: Wakeup
}

/** Follows the leases in etcd: a complete list, then every change after it, and a new list when the history is gone. */
export class PeersTask {
  readonly #input: PeersTaskInput
  /** Reasons already said, so that a bad lease is named once and not at every list. */
  readonly #saidRejected = new Map<string, string>()

  constructor(input: PeersTaskInput) {
    this.#input = input
    input.peers.replaceAll(input.list.records)
    input.reconciler.allowPruning()
    this.#passOn()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { ports } = this.#input
    let from: StoreIdentity = this.#input.list
    while (!isStopped(signal)) {
      await this.#watch(from, signal)
      if (isStopped(signal)) break
      const list = await untilItWorks('list of leases', () => ports.store.list(signal), ports, signal)
      this.#applyList(list)
      from = list
    }
  }

  async #watch(from: StoreIdentity, signal: AbortSignal): Promise<void> {
    const { ports, keeper } = this.#input
    let lost = false
    const status = {
      onConnected: (): void => {
        if (lost) ports.log.info('etcd answers again')
        if (lost) keeper.renewSoon()
        lost = false
      },
      onDisconnected: (error: StoreError): void => {
        lost = true
        ports.log.warn(`etcd is out of reach: ${error.message}; forwarding goes on as it is`)
      },
    }
    for await (const event of ports.store.watch(from, signal, status)) this.#apply(event)
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
    if (key === keeper.key) keeper.observe(delta)
    else if (delta.kind === 'put') peers.put(delta.record)
    else peers.delete(key)
  }

  #applyList(list: LeaseList): void {
    const { peers, keeper } = this.#input
    peers.replaceAll(list.records)
    keeper.observeList(list.records.find(({ key }) => key === keeper.key))
    this.#passOn()
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
