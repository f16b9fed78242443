import type { EtcdLeaseId } from '../../src/lease/lease.ts'
import type { CasResult, KeepAliveResult, KeyLifetime, LeaseRecord, Newcomers } from '../../src/lease/store.ts'
import { FakeLeaseStore } from './fake-lease-store.ts'

type RacedOp = 'create' | 'replace' | 'remove' | 'release' | 'keepAlive'

/** Lets somebody else be faster: acts just before a call is carried out. */
export class RacedLeaseStore extends FakeLeaseStore {
  readonly #races = new Map<RacedOp, { readonly act: () => void; times: number }>()

  /** Runs `act` before each of the next `times` calls of this kind. */
  before(op: RacedOp, act: () => void, times = 1): void {
    this.#races.set(op, { act, times })
  }

  override create(
    key: string,
    value: string,
    lifetime: KeyLifetime,
    signal: AbortSignal,
    unless?: Newcomers,
  ): Promise<CasResult> {
    this.#race('create')
    return super.create(key, value, lifetime, signal, unless)
  }

  override replace(seen: LeaseRecord, value: string, signal: AbortSignal, lifetime?: KeyLifetime): Promise<CasResult> {
    this.#race('replace')
    return super.replace(seen, value, signal, lifetime)
  }

  override remove(seen: LeaseRecord, signal: AbortSignal): Promise<boolean> {
    this.#race('remove')
    return super.remove(seen, signal)
  }

  override release(seen: LeaseRecord, signal: AbortSignal): Promise<boolean> {
    this.#race('release')
    return super.release(seen, signal)
  }

  override keepAlive(etcdLeaseId: EtcdLeaseId, signal: AbortSignal): Promise<KeepAliveResult> {
    this.#race('keepAlive')
    return super.keepAlive(etcdLeaseId, signal)
  }

  #race(op: RacedOp): void {
    const race = this.#races.get(op)
    if (race !== undefined && race.times-- > 0) race.act()
  }
}
