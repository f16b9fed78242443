import type { Challenger, Challenges } from '../../lease/challenges.ts'
import { decodeLease, encodeLease } from '../../lease/codec.ts'
import { CloneError } from '../../lease/errors.ts'
import type { LeaseKeeper } from '../../lease/keeper/keeper.ts'
import { NO_ETCD_LEASE, type Lease, type Revision } from '../../lease/lease.ts'
import { expectNoClone } from '../../lease/proof.ts'
import { StoreError, type LeaseRecord, type LeaseStore } from '../../lease/store.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Logger } from '../../observe/logger.ts'
import type { ConditionReports } from '../../agent/runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task } from '../../agent/runtime/task.ts'

export interface StaleLeasesTaskInput {
  readonly store: LeaseStore & Challenges
  readonly log: Logger
  readonly conditions: ConditionReports
  readonly ourselves: Challenger
  /** The lease we hold. */
  readonly own: Pick<LeaseKeeper, 'key' | 'createRevision'>
  /** Gives our own lease up. */
  readonly makeWay: (reason: string) => void
}

interface StaleLease {
  readonly lease: Lease
  readonly record: LeaseRecord
}

const RETRY_MS = 5_000
/** Nothing but a ring matters. */
const IDLE_MS = 3_600_000

/**
 * Takes away leases that carry our node id beside the one we hold: of an earlier life of this node, or brought back by a restored
 * store. On every peer they hold our VtepMAC against the lease that is in use, so that nobody reaches our containers, for a day. One
 * that another machine answers for, which then has a copy of our machine id, is left alone; when it is older than ours, we make way.
 */
export class StaleLeasesTask implements Task {
  readonly name = 'stale leases'
  readonly roundMs = ROUND_MS.etcd
  readonly #input: StaleLeasesTaskInput
  readonly #open = new Map<string, StaleLease>()
  /** Key → revision at which its fate was decided: nobody is asked twice about the same. */
  readonly #decided = new Map<string, Revision>()
  /** Those of machines that live, and were to make way for us: if our lease should have to be created anew, it is the younger one. */
  readonly #living = new Map<string, StaleLease>()
  readonly #somethingToDo = new Wakeup()

  constructor(input: StaleLeasesTaskInput) {
    this.#input = input
  }

  /** Takes note of a lease as it now stands in the store. */
  observe(record: LeaseRecord): void {
    if (record.key === this.#input.own.key) this.#weighAgain()
    this.#living.delete(record.key)
    const stale = this.#asStale(record)
    if (stale === undefined) this.#open.delete(record.key)
    else if (this.#decided.get(record.key) !== record.modRevision) {
      this.#open.set(record.key, stale)
      this.#somethingToDo.ring()
    }
  }

  #weighAgain(): void {
    for (const [key, stale] of this.#living) this.#open.set(key, stale)
    this.#somethingToDo.ring()
  }

  #asStale(record: LeaseRecord): StaleLease | undefined {
    const { ourselves, own } = this.#input
    if (record.key === own.key || !record.value.includes(ourselves.id)) return undefined
    const lease = decodeLease(record)
    return 'rejected' in lease || lease.node?.id !== ourselves.id ? undefined : { lease, record }
  }

  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      for (const stale of [...this.#open.values()]) await this.#attempt(stale, signal)
      await rest(this.#open.size > 0 ? RETRY_MS : IDLE_MS, this.#somethingToDo)
    }
  }

  async #attempt(stale: StaleLease, signal: AbortSignal): Promise<void> {
    if (isStopped(signal)) return
    try {
      await this.#remove(stale, signal)
      this.#input.conditions.holds('stale leases')
    } catch (error) {
      if (isStopped(signal)) return
      if (!(error instanceof StoreError) && !(error instanceof CloneError)) throw error
      const { conditions } = this.#input
      if (error instanceof CloneError) this.#metClone(stale, error)
      else
        conditions.fails('stale leases', error, 'none', {
          says: `cannot remove lease ${stale.lease.key}: ${error.message}`,
          saysHolds: false, // that one is removed is said each time
        })
      if (error instanceof StoreError && error.retryable) return
    }
    this.#decide(stale)
  }

  /** Peers honour the older of two leases with one VtepMAC: its holder stays, and sees to it that somebody hears of the other. */
  #metClone(stale: StaleLease, error: CloneError): void {
    const { own, makeWay, log } = this.#input
    const isKnown = this.#living.has(stale.lease.key)
    if (stale.lease.createRevision < own.createRevision) makeWay(error.message)
    else if (!isKnown) log.error(error.message)
    this.#living.set(stale.lease.key, stale)
  }

  async #remove({ lease, record }: StaleLease, signal: AbortSignal): Promise<void> {
    const { store, ourselves, log } = this.#input
    const silence = await expectNoClone(store, lease, { node: ourselves, instance: ourselves.instance }, signal)
    if (silence === 'forbidden')
      log.warn(
        `lease ${lease.key} carries our node id, but whether another machine holds it we may not ask; left alone`,
      )
    else if (record.etcdLeaseId === NO_ETCD_LEASE) await this.#emptyReservation(lease, record, signal)
    else if (await store.remove(record, signal))
      log.info('removed a lease of an earlier life of this node, which held our VtepMAC', { lease: lease.key })
  }

  /** Somebody has reserved a subnet for this node with all that our lease says: it stays reserved, and no longer claims what the lease needs. */
  async #emptyReservation(lease: Lease, record: LeaseRecord, signal: AbortSignal): Promise<void> {
    const { store, log } = this.#input
    const families = lease.families.map(({ family, subnet, publicIp }) => ({
      family,
      subnet,
      publicIp,
      backendData: undefined,
    }))
    const result = await store.replace(record, encodeLease({ backendType: '', families }), signal)
    if (result.ok)
      log.info('a reservation for this node says no more than its address now: it held our VtepMAC', {
        lease: lease.key,
      })
  }

  #decide({ record }: StaleLease): void {
    this.#decided.set(record.key, record.modRevision)
    if (this.#open.get(record.key)?.record.modRevision === record.modRevision) this.#open.delete(record.key)
  }
}
