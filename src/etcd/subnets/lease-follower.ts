import type { PeerListener } from '../../agent/runtime/subnet-manager.ts'
import { untilItWorks, type RetryPorts } from '../../agent/runtime/retry.ts'
import type { Task, TaskContext } from '../../agent/runtime/task.ts'
import type { LeaseKeeper } from '../../lease/keeper/keeper.ts'
import { listAndWatch, type FollowEvent } from '../../lease/list-and-watch.ts'
import type { Revision } from '../../lease/lease.ts'
import type { LeaseDelta, LeaseList, LeaseRecord, LeaseStore, WatchStatus } from '../../lease/store.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Clock } from '../../time/clock.ts'
import type { StaleLeasesTask } from './stale-leases-task.ts'

export interface LeaseFollowerInput {
  readonly ports: RetryPorts & {
    readonly clock: Clock
    readonly log: Logger
    readonly store: Pick<LeaseStore, 'list' | 'watch'>
  }
  readonly keeper: Pick<LeaseKeeper, 'key' | 'observe' | 'observeList' | 'observeOthers'>
  readonly staleLeases: Pick<StaleLeasesTask, 'observe'>
  readonly peers: PeerListener
  readonly outages: WatchStatus
  /** The list the lease was chosen on, or that confirmed it. Its peers are taken in already. */
  readonly list: LeaseList
  /** Revision in which our lease was written last. */
  readonly ownRevision: Revision
}

/** A list that takes longer has lost its way, in milliseconds: each of its pages has a deadline of its own. */
const LIST_BOUND_MS = 120_000

/** Follows the leases in etcd from the first list on, and tells whom each concerns: our own its keeper, all others the peers. */
export class LeaseFollower implements Task {
  readonly name = 'leases'
  readonly #input: Omit<LeaseFollowerInput, 'list'>
  /** Until it was followed. */
  #first: LeaseList | undefined

  constructor({ list, ...input }: LeaseFollowerInput) {
    this.#input = input
    this.#first = list
  }

  async run(context: TaskContext): Promise<void> {
    for await (const event of listAndWatch(this.#followed(context), context.signal, this.#takeFirst()))
      await this.#take(event)
  }

  #takeFirst(): LeaseList | undefined {
    const list = this.#first
    this.#first = undefined
    if (list === undefined) return undefined
    // an older list knows nothing of our lease as it is now; the watch that begins there tells the rest
    if (list.revision >= this.#input.ownRevision) this.#observeOwn(list.records)
    this.#observeStale(list.records)
    return list
  }

  #followed(context: TaskContext): Parameters<typeof listAndWatch>[0] {
    const { ports, outages } = this.#input
    const { store, clock } = ports
    return {
      clock,
      list: (signal) => {
        const read = (): Promise<LeaseList> =>
          context.watchdog.during('list of leases', LIST_BOUND_MS, store.list(signal))
        return untilItWorks('list of leases', read, ports, context)
      },
      watch: (from, signal) => store.watch(from, signal, outages),
    }
  }

  async #take(event: FollowEvent): Promise<void> {
    const { log } = this.#input.ports
    if (event.kind === 'compacted')
      log.info(
        'etcd has compacted the history we need; listing again',
        { revision: String(event.compactRevision) },
        { kind: 'store-history-compacted' },
      )
    else if (event.kind === 'reset')
      log.warn(
        `etcd is not what it was: ${event.reason}; listing again`,
        {},
        { kind: 'store-reset', reason: event.reason },
      )
    else if (event.kind === 'list') await this.#takeList(event.list, event.wasReset)
    else this.#takeDeltas(event.deltas)
  }

  async #takeList({ records }: LeaseList, wasReset: boolean): Promise<void> {
    const { keeper, peers } = this.#input
    const others = records.filter(({ key }) => key !== keeper.key)
    this.#observeOwn(records, wasReset)
    keeper.observeOthers(others)
    await peers.onList({ records: others, isOwnMissing: others.length === records.length, wasReset })
    this.#observeStale(records)
  }

  #takeDeltas(deltas: readonly LeaseDelta[]): void {
    const { keeper, peers } = this.#input
    const others: LeaseDelta[] = []
    let isOwnGone = false
    for (const delta of deltas) {
      if (keyOf(delta) !== keeper.key) others.push(delta)
      else {
        keeper.observe(delta)
        isOwnGone ||= delta.kind === 'deleted'
      }
      if (delta.kind === 'put') this.#observeStale([delta.record])
    }
    keeper.observeOthers(others.flatMap((delta) => (delta.kind === 'put' ? [delta.record] : [])))
    peers.onChanges({ deltas: others, isOwnGone })
  }

  #observeOwn(records: readonly LeaseRecord[], wasReset = false): void {
    const { keeper } = this.#input
    keeper.observeList(
      records.find(({ key }) => key === keeper.key),
      wasReset,
    )
  }

  #observeStale(records: readonly LeaseRecord[]): void {
    for (const record of records) this.#input.staleLeases.observe(record)
  }
}

const keyOf = (delta: LeaseDelta): string => (delta.kind === 'put' ? delta.record.key : delta.key)
