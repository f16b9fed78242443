import type { Clock, Random } from '../net/clock.ts'
import { backoffMs, type BackoffSpec } from '../net/backoff.ts'
import { Wakeup } from '../net/wakeup.ts'
import { decodeLease } from './codec.ts'
import { NO_ETCD_LEASE, type Lease } from './lease.ts'
import { StoreError, type LeaseDelta, type LeaseRecord, type LeaseStore } from './store.ts'
import { ownershipOf, type LeaseTerms } from './terms.ts'

/** Where this node stands with its lease. */
export type LeaseState =
  | { readonly is: 'held'; readonly record: LeaseRecord }
  /** etcd does not answer; the lease still runs. Forwarding goes on regardless. */
  | { readonly is: 'unrenewed'; readonly record: LeaseRecord; readonly error: StoreError }
  /** Somebody keeps changing our key, as a machine with the same identity would; we answer ever more slowly. */
  | { readonly is: 'contested'; readonly record: LeaseRecord }
  /** Somebody else holds our key now. */
  | { readonly is: 'lost'; readonly reason: string }

export interface KeeperOptions {
  readonly store: LeaseStore
  readonly terms: Pick<LeaseTerms, 'node' | 'publicIps' | 'ttlSeconds'>
  readonly clock: Clock
  readonly random: Random
  /** Renewed at the latest this long before expiry, in milliseconds. */
  readonly renewMarginMs: number
  /** Called at every change of state; must not throw. */
  readonly onState: (state: LeaseState, what: string) => void
}

/** Renewal touches no key and wakes no watcher, so once an hour is cheap even with ten thousand nodes. */
const LONGEST_INTERVAL_MS = 3_600_000
const RETRY: BackoffSpec = { firstMs: 1_000, mostMs: 60_000, jitter: 0.3 }
/** Our key changed this often by others, without a quiet minute between, is being fought over. */
const REPAIRS_AT_ONCE = 3
const QUIET_MS = 60_000
/** Spread of renewals, as a share of the interval. */
const JITTER = 0.1

/**
 * Holds a lease once acquired: renews it, puts the key back with the same subnet when it vanishes, restores it when somebody
 * rewrote it, and gives it up, never overwriting, when it has become another node's.
 */
export class LeaseKeeper {
  readonly #options: KeeperOptions
  #record: LeaseRecord
  /** What the key should say. */
  #value: string
  #attention: 'none' | 'renew' | 'recreate' | 'restore' = 'none'
  #lost: string | undefined
  /** Repairs of our key in a row, and when the last one was. */
  #repairs = 0
  #lastRepairMs = Number.NEGATIVE_INFINITY
  readonly #wakeup = new Wakeup()

  constructor(record: LeaseRecord, options: KeeperOptions) {
    this.#record = record
    this.#value = record.value
    this.#options = options
  }

  get key(): string {
    return this.#record.key
  }

  /** Tells the keeper what the watch saw of its own key. */
  observe(delta: LeaseDelta): void {
    if (delta.revision <= this.#record.modRevision) return
    if (delta.kind === 'deleted') this.#need('recreate')
    else this.#observePut(delta.record)
  }

  /** Tells the keeper what a complete list shows of its own key. */
  observeList(record: LeaseRecord | undefined): void {
    if (record === undefined) this.#need('recreate')
    else if (record.modRevision !== this.#record.modRevision || record.value !== this.#record.value)
      this.#observePut(record)
  }

  #observePut(record: LeaseRecord): void {
    if (record.value !== this.#value && !this.#isOurs(record)) {
      this.#lost = `lease ${record.key} now belongs to ${ownerOf(record)}`
      this.#wakeup.ring()
      return
    }
    this.#record = record
    this.#need(record.value === this.#value ? 'none' : 'restore')
  }

  /** From now on the key should say this instead. */
  publish(value: string): void {
    if (value === this.#value) return
    this.#value = value
    if (this.#attention !== 'recreate') this.#need('restore')
  }

  /** Renew soon: the connection to etcd is back. */
  renewSoon(): void {
    if (this.#attention === 'none') this.#need('renew')
  }

  #isOurs(record: LeaseRecord): boolean {
    const lease = decodeLease(record)
    return 'rejected' in lease || ownershipOf(lease, this.#options.terms) === 'ours'
  }

  #need(what: 'none' | 'renew' | 'recreate' | 'restore'): void {
    this.#attention = what
    if (what !== 'none') this.#wakeup.ring()
  }

  /** Holds the lease until `signal` aborts (then undefined) or it is lost (then why). Errors of the store are retried for ever. */
  async hold(signal: AbortSignal): Promise<string | undefined> {
    const { clock, random, onState } = this.#options
    let failures = 0
    while (!this.#isOver(signal)) {
      const delayMs = failures > 0 ? backoffMs(RETRY, failures, random) : this.#intervalMs()
      if (this.#attention === 'none' || failures > 0) await this.#wakeup.wait(clock, delayMs, signal)
      if (this.#isOver(signal)) break
      try {
        await this.#giveWay(signal)
        if (this.#isOver(signal)) break
        await this.#attend(signal)
        if (failures > 0) onState({ is: 'held', record: this.#record }, 'renewed again')
        failures = 0
      } catch (error) {
        if (signal.aborted) break
        if (!(error instanceof StoreError)) throw error
        if (failures++ === 0) onState({ is: 'unrenewed', record: this.#record, error }, 'cannot be renewed')
      }
    }
    if (this.#lost !== undefined) onState({ is: 'lost', reason: this.#lost }, this.#lost)
    return this.#lost
  }

  /** Waits before repairing a key that has been repaired too often: two machines that both believe it theirs must not race. */
  async #giveWay(signal: AbortSignal): Promise<void> {
    if (this.#attention !== 'restore' && this.#attention !== 'recreate') return
    const { clock, random, onState } = this.#options
    this.#repairs = clock.monotonicMs() - this.#lastRepairMs > QUIET_MS ? 1 : this.#repairs + 1
    const excess = this.#repairs - REPAIRS_AT_ONCE
    if (excess > 0) {
      onState({ is: 'contested', record: this.#record }, 'keeps being changed by somebody else')
      await clock.sleep(backoffMs(RETRY, excess, random), signal)
    }
    this.#lastRepairMs = clock.monotonicMs()
  }

  #isOver(signal: AbortSignal): boolean {
    return signal.aborted || this.#lost !== undefined
  }

  #intervalMs(): number {
    const { terms, renewMarginMs, random } = this.#options
    const untilMarginMs = Math.max(terms.ttlSeconds * 1_000 - renewMarginMs, 1_000)
    return Math.min(untilMarginMs / 2, LONGEST_INTERVAL_MS) * (1 - JITTER * random())
  }

  async #attend(signal: AbortSignal): Promise<void> {
    const attention = this.#attention
    if (attention === 'recreate') await this.#recreate(signal)
    else if (attention === 'restore') await this.#restore(signal)
    else await this.#renew(signal)
  }

  async #renew(signal: AbortSignal): Promise<void> {
    this.#attention = 'none'
    const { etcdLeaseId } = this.#record
    if (etcdLeaseId === NO_ETCD_LEASE) return
    const result = await this.#options.store.keepAlive(etcdLeaseId, signal)
    if (!result.alive) this.#attention = 'recreate'
  }

  /** The key is gone: puts it back while it is free. A reservation comes back as a reservation. */
  async #recreate(signal: AbortSignal): Promise<void> {
    const { store, terms, onState } = this.#options
    const { key, etcdLeaseId } = this.#record
    const lifetime =
      etcdLeaseId === NO_ETCD_LEASE
        ? ({ kind: 'reservation' } as const)
        : ({ kind: 'grant', ttlSeconds: terms.ttlSeconds } as const)
    const result = await store.create(key, this.#value, lifetime, signal)
    if (result.ok) {
      this.#record = result.record
      this.#attention = this.#ifNotSaid(result.record)
      onState({ is: 'held', record: result.record }, 'had vanished from etcd and was published again')
    } else if (result.found !== undefined) {
      this.#attention = 'none'
      this.#observePut(result.found)
    }
  }

  /** What the key should say may have changed while it was being written. */
  #ifNotSaid(written: LeaseRecord): 'none' | 'restore' {
    return written.value === this.#value ? 'none' : 'restore'
  }

  /** The key is still ours, but its value was changed. */
  async #restore(signal: AbortSignal): Promise<void> {
    const result = await this.#options.store.replace(this.#record, this.#value, signal)
    this.#attention = 'none'
    if (result.ok) {
      this.#record = result.record
      this.#attention = this.#ifNotSaid(result.record)
      this.#options.onState(
        { is: 'held', record: result.record },
        'was written again, because it did not say what it should',
      )
    } else if (result.found === undefined) this.#attention = 'recreate'
    else this.#observePut(result.found)
  }
}

function ownerOf(record: LeaseRecord): string {
  const lease = decodeLease(record)
  if ('rejected' in lease) return 'nobody we can name'
  return ownerName(lease)
}

const ownerName = ({ node, families: [part] }: Lease): string =>
  node === undefined ? `the node at ${part?.publicIp.text ?? 'an unknown address'}` : `${node.hostname} (${node.id})`
