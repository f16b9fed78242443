import { NO_ETCD_LEASE, type EtcdLeaseId } from '../../lease/lease.ts'
import type { CasResult, KeyLifetime, Newcomers, StoreError } from '../../lease/store.ts'
import type { Caller } from '../client/call.ts'
import { isTransient } from '../client/codes.ts'
import { BrokenAnswer, toStoreError } from '../client/errors.ts'
import type { KeyRecord } from './key.ts'
import type { Keyspace } from './keyspace.ts'
import { readRecord, transact, type TransactionOutcome } from './transaction.ts'

/** What a put is to leave behind, and the state it is allowed to change. */
interface Put {
  readonly op: 'create' | 'replace' | 'ask' | 'answer' | 'writeConfig'
  readonly key: string
  readonly value: string
  /** State it applies to; undefined: the key does not exist. */
  readonly seen: KeyRecord | undefined
  /** Who must not have been faster. */
  readonly unless?: Newcomers | undefined
  /** Also only if it says what was seen: an etcd that was restored meanwhile gives the same revision to another value. */
  readonly isValueCompared?: boolean
}

/**
 * Writes to the keys of a directory, each one transaction on what the caller saw. An answer can get lost after the transaction took effect:
 * where that leaves it open, the key is read, and when it holds exactly what we put, on our etcd lease, it was us.
 */
export class KeyWriter {
  readonly #caller: Caller
  readonly #keyspace: Keyspace

  constructor(caller: Caller, keyspace: Keyspace) {
    this.#caller = caller
    this.#keyspace = keyspace
  }

  /** @throws {StoreError} */
  async put(put: Put, lifetime: KeyLifetime, signal: AbortSignal): Promise<CasResult> {
    if (lifetime.kind === 'attach') return this.#putOn(lifetime.etcdLeaseId, put, signal)
    if (lifetime.kind === 'reservation') return this.#putOn(NO_ETCD_LEASE, put, signal)
    const ID = await grant(this.#caller, put.op, lifetime.ttlSeconds, signal)
    try {
      const result = await this.#putOn(ID, put, signal)
      if (!result.ok) await this.revoke(ID, signal)
      return result
    } catch (error) {
      // takes a key with it that was created without our knowing, and stops a transaction that is still on its way
      await this.revoke(ID, signal)
      throw error
    }
  }

  /** @throws {StoreError} */
  async remove(seen: KeyRecord, signal: AbortSignal): Promise<boolean> {
    const request = { request_delete_range: { key: this.#keyspace.keyOf(seen.key) } }
    const outcome = await transact(this.#caller, this.#keyspace, { op: 'remove', key: seen.key, seen, request }, signal)
    return outcome.done || outcome.found === undefined
  }

  /** @throws {StoreError} */
  async release(seen: KeyRecord, signal: AbortSignal): Promise<boolean> {
    const { key, etcdLeaseId } = seen
    const request = { request_delete_range: { key: this.#keyspace.keyOf(key) } }
    const change = { op: 'release', key, seen, request, isValueCompared: true }
    const outcome = await transact(this.#caller, this.#keyspace, change, signal)
    if (!outcome.done && outcome.found !== undefined) return false
    if (etcdLeaseId !== NO_ETCD_LEASE && (await this.#isBare(etcdLeaseId, signal)))
      await this.revoke(etcdLeaseId, signal)
    return true
  }

  /** Whether it is known that no key hangs on an etcd lease. */
  #isBare(etcdLeaseId: EtcdLeaseId, signal: AbortSignal): Promise<boolean> {
    return this.#caller
      .call('release', signal, ({ leaseClient }, options) =>
        leaseClient.leaseTimeToLive({ ID: etcdLeaseId, keys: true }, options),
      )
      .then(
        ({ TTL, keys }) => Number(TTL) > 0 && keys.length === 0,
        () => false, // it ends by itself
      )
  }

  /** Ends an etcd lease with every key on it. Best effort: without us it ends by itself. */
  async revoke(etcdLeaseId: EtcdLeaseId, signal: AbortSignal): Promise<void> {
    await this.#caller
      .call('revoke', signal, ({ leaseClient }, options) => leaseClient.leaseRevoke({ ID: etcdLeaseId }, options))
      .catch(() => undefined)
  }

  async #putOn(etcdLeaseId: EtcdLeaseId, put: Put, signal: AbortSignal): Promise<CasResult> {
    const { key, value, seen } = put
    const outcome = await this.#transactPut(etcdLeaseId, put, signal)
    if (outcome.done) {
      const { revision: modRevision } = outcome
      const createRevision = seen?.createRevision ?? modRevision
      return { ok: true, record: { key, value, etcdLeaseId, createRevision, modRevision } }
    }
    const { found, certain } = outcome
    if (certain || found === undefined || !isResultOf(put, etcdLeaseId, found)) return { ok: false, found }
    return { ok: true, record: found }
  }

  async #transactPut(etcdLeaseId: EtcdLeaseId, put: Put, signal: AbortSignal): Promise<TransactionOutcome> {
    const request_put = { key: this.#keyspace.keyOf(put.key), value: Buffer.from(put.value), lease: etcdLeaseId }
    try {
      return await transact(this.#caller, this.#keyspace, { ...put, request: { request_put } }, signal)
    } catch (error) {
      return await this.#settle(etcdLeaseId, put, toStoreError(put, error), signal)
    }
  }

  /** What became of a put that failed. @throws {StoreError} the failure, unless the key shows that the put took effect */
  async #settle(
    etcdLeaseId: EtcdLeaseId,
    put: Put,
    failure: StoreError,
    signal: AbortSignal,
  ): Promise<TransactionOutcome> {
    if (!isTransient(failure.code)) throw failure
    const found = await readRecord(this.#caller, this.#keyspace, put, signal).catch(() => undefined)
    if (found === undefined || !isResultOf(put, etcdLeaseId, found)) throw failure
    return { done: false, found, certain: false }
  }
}

function isResultOf({ value, seen }: Put, etcdLeaseId: EtcdLeaseId, found: KeyRecord): boolean {
  const changed = seen === undefined || found.modRevision > seen.modRevision
  return changed && found.value === value && found.etcdLeaseId === etcdLeaseId
}

/**
 * A new etcd lease. etcd may give it a longer life than was asked for, never a shorter one.
 * @throws {StoreError}
 */
function grant(caller: Caller, op: string, ttlSeconds: number, signal: AbortSignal): Promise<EtcdLeaseId> {
  return caller.call(op, signal, async ({ leaseClient }, options) => {
    const { ID, TTL } = await leaseClient.leaseGrant({ TTL: ttlSeconds }, options)
    // a key on no etcd lease would be a reservation, for ever
    if (BigInt(ID) <= 0n) throw new BrokenAnswer(`etcd lease ${ID}`)
    if (Number(TTL) < ttlSeconds) throw new BrokenAnswer(`${TTL} s to live, where ${ttlSeconds} were asked for`)
    return ID
  })
}
