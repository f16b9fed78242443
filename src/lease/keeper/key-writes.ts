import type { Prefix } from '../../net/prefix.ts'
import { decodeLease } from '../codec.ts'
import { NO_ETCD_LEASE } from '../lease.ts'
import { isComplete, newcomersAmong } from '../overlap.ts'
import { StoreError, type CasResult, type KeyLifetime, type LeaseRecord, type LeaseStore } from '../store.ts'
import type { KeeperEvent, KeeperState, Live } from './keeper-state.ts'
import type { KeeperOptions } from './options.ts'
import { isToRenew, type KeeperSchedule } from './schedule.ts'

/** Of many that put their keys back at once, all but one are refused: so often in a row they try again before they let others go first. */
const OVERTAKEN_AT_MOST = 3

/** Whoever keeps the key, as its writes know it. */
export interface Keeping {
  readonly key: string
  readonly subnets: readonly Prefix[]
  readonly state: KeeperState
  /** The state for as long as there is anything to do. */
  live(signal: AbortSignal): Live | undefined
  hear(event: KeeperEvent): void
  observeOthers(records: readonly LeaseRecord[]): void
  /** @returns whether one of these leases has any of our addresses, and counts, and so we have lost them */
  yieldToHolderAmong(records: readonly LeaseRecord[], counts: (record: LeaseRecord, wanted: string) => boolean): boolean
}

/** What is written to the store for a key, each once: who tries again, and when, is not their business. */
export class KeyWrites {
  readonly #keeping: Keeping
  readonly #schedule: KeeperSchedule
  readonly #options: Pick<KeeperOptions, 'terms' | 'onState'>
  readonly #store: LeaseStore
  #timesOvertaken = 0

  constructor(keeping: Keeping, schedule: KeeperSchedule, options: Pick<KeeperOptions, 'store' | 'terms' | 'onState'>) {
    this.#keeping = keeping
    this.#schedule = schedule
    this.#options = options
    this.#store = options.store
  }

  async renew(signal: AbortSignal): Promise<void> {
    const live = this.#keeping.live(signal)
    if (live === undefined || !isToRenew(live)) return
    const { etcdLeaseId } = live.record
    const result = await this.#store.keepAlive(etcdLeaseId, signal)
    if (!result.alive) {
      this.#schedule.undone() // a store that says so of what stands is not to keep us busy
      this.#keeping.hear({ kind: 'expired', etcdLeaseId })
    } else {
      this.#keeping.hear({ kind: 'renewed', etcdLeaseId, ttlSeconds: result.ttlSeconds })
      this.#schedule.renewed()
      if (this.#keeping.state.is !== 'lost') this.#schedule.renewLater(this.#keeping.state.ttlSeconds)
    }
  }

  /**
   * The key is gone: puts it back while all of its addresses are free, whatever the names of the leases that could have them by now, and
   * whosever they are: one with our node id may be that of a copy of this machine. A reservation comes back as a reservation.
   */
  async recreate(before: Live, signal: AbortSignal): Promise<void> {
    const store = this.#store
    const list = await store.list(signal)
    const found = list.records.find(({ key }) => key === this.#keeping.key)
    if (found !== undefined) this.#keeping.hear({ kind: 'refused', found })
    if (found !== undefined || this.#keeping.yieldToHolderAmong(list.records, isReadable)) return
    const lifetime = await this.#lifetime(before, signal)
    const live = this.#beginWrite(signal)
    if (live === undefined) return
    const unless = newcomersAmong(this.#keeping.subnets, list)
    const result = await store.create(this.#keeping.key, live.wanted, lifetime, signal, unless)
    if (!result.ok && result.found === undefined) {
      this.#wasOvertaken()
      return
    }
    this.#timesOvertaken = 0
    this.#endWrite(result, 'had vanished from etcd and was published again')
    if (result.ok && !isComplete(unless, this.#keeping.subnets))
      this.#keeping.observeOthers((await store.list(signal)).records)
  }

  /** Whoever was faster may have our addresses: that is looked at at once, though not for ever. @throws {StoreError} */
  #wasOvertaken(): void {
    this.#timesOvertaken += 1
    if (this.#timesOvertaken <= OVERTAKEN_AT_MOST) return
    this.#timesOvertaken = 0
    throw new StoreError({
      op: 'create',
      code: 'ABORTED',
      retryable: true,
      message: 'other leases were created meanwhile',
    })
  }

  /** The key is still ours, but does not say what it should, or hangs on another's etcd lease. */
  async restore(before: Live, signal: AbortSignal): Promise<void> {
    const lifetime = before.record.etcdLeaseId === before.home ? undefined : await this.#lifetime(before, signal)
    const live = this.#beginWrite(signal)
    if (live === undefined) return
    const result = await this.#store.replace(live.record, live.wanted, signal, lifetime)
    this.#endWrite(result, 'was written again, because it did not say what it should')
  }

  /** Where the key belongs: our own etcd lease while it lives, else a new one; none for a reservation. */
  async #lifetime({ home }: Live, signal: AbortSignal): Promise<KeyLifetime> {
    if (home === NO_ETCD_LEASE) return { kind: 'reservation' }
    if (home !== undefined && (await this.#store.keepAlive(home, signal)).alive)
      return { kind: 'attach', etcdLeaseId: home }
    return { kind: 'grant', ttlSeconds: this.#options.terms.ttlSeconds }
  }

  #beginWrite(signal: AbortSignal): Live | undefined {
    this.#keeping.hear({ kind: 'writing' })
    return this.#keeping.live(signal)
  }

  #endWrite(result: CasResult, what: string): void {
    if (!result.ok) {
      this.#keeping.hear({ kind: 'refused', found: result.found })
      return
    }
    const { record } = result
    if (this.#keeping.state.is !== 'lost' && record.etcdLeaseId !== this.#keeping.state.home) this.#schedule.renewed() // it was granted for this
    this.#keeping.hear({ kind: 'written', record })
    if (this.#keeping.state.is !== 'lost') this.#schedule.renewNoLater(this.#keeping.state.ttlSeconds)
    this.#options.onState({ is: 'held', record }, what)
  }
}

/** Of what nobody can read, nobody makes use. */
export const isReadable = (record: LeaseRecord): boolean => !('rejected' in decodeLease(record))
