import type { IKeyValue } from 'etcd3'

import { BrokenAnswer, toStoreError } from '../client/errors.ts'
import type { Caller } from '../client/call.ts'
import type { KeyList, KeyRecord } from './key.ts'
import type { Keyspace } from './keyspace.ts'
import { readRange, type RangeAnswer, type RangeRequest } from './answer.ts'

/** A compaction between two pages takes the revision away from under us; more often than this it is no accident. */
const ATTEMPTS = 5

/** No overlay has so many leases, and no agent the memory for them. */
const MOST_KEYS = 1_000_000n

/**
 * All keys of a directory as they stood at one revision, read in pages so that no answer holds etcd or us for long.
 * @param pageSize keys in a page at most
 * @throws {StoreError}
 */
export async function listKeys(
  caller: Caller,
  keyspace: Keyspace,
  pageSize: number,
  signal: AbortSignal,
): Promise<KeyList> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listAtOneRevision(caller, keyspace, pageSize, signal)
    } catch (error) {
      const failure = toStoreError({ op: 'list' }, error)
      if (failure.code !== 'OUT_OF_RANGE' || attempt === ATTEMPTS) throw failure
    }
  }
}

async function listAtOneRevision(
  caller: Caller,
  keyspace: Keyspace,
  pageSize: number,
  signal: AbortSignal,
): Promise<KeyList> {
  const first = await readPage(caller, { ...keyspace.range, limit: nextSize(undefined, pageSize) }, signal)
  const { clusterId, revision } = first.header
  const count = BigInt(first.count)
  if (count > MOST_KEYS) throw new BrokenAnswer(`${count} keys in one directory`)
  const records: KeyRecord[] = []
  for (let page = first; ;) {
    takeIn(page, keyspace, records)
    expectRest(page, count - BigInt(records.length))
    if (!page.more) return { clusterId, revision, records }
    const rest = { ...keyspace.range, key: keyAfter(page.kvs), limit: nextSize(page, pageSize) }
    page = await readPage(caller, { ...rest, revision: String(revision) }, signal)
  }
}

/** @throws {BrokenAnswer} when the keys of the page are out of order, or come twice */
function takeIn({ kvs, withoutValues }: Page, keyspace: Keyspace, records: KeyRecord[]): void {
  let before: Buffer | undefined
  for (const kv of kvs) {
    if (before !== undefined && before.compare(kv.key) >= 0) throw new BrokenAnswer('keys out of order')
    before = kv.key
    records.push(keyspace.record(kv, withoutValues))
  }
}

/**
 * A list that ends before all keys have come would make peers vanish, and one that goes on behind them would never end.
 * @throws {BrokenAnswer}
 */
function expectRest({ kvs, more }: Page, left: bigint): void {
  if (more ? left <= 0n || kvs.length === 0 : left !== 0n)
    throw new BrokenAnswer(`${more ? 'more' : 'no more'} keys to come, where ${left} of those counted are left`)
}

/** The smallest key above the last one read. */
function keyAfter(kvs: readonly IKeyValue[]): Buffer {
  return Buffer.concat([kvs.at(-1)?.key ?? Buffer.of(), Buffer.of(0)])
}

/** Part of a list. */
interface Page extends RangeAnswer {
  /** The value is longer than any message we take: the key came alone. */
  readonly withoutValues: boolean
}

type PageRequest = RangeRequest & { readonly limit: number }

/** So few keys are no more than we take even if each is as large as etcd lets it be by default (`--max-request-bytes`: 1.5 MiB). */
const FIRST_SIZE = 4
/** A page has so many times the keys of the one before at most: what is behind small keys may be large ones. */
const GROWTH = 8
/** Of keys whose size is known from the page before, in bytes. */
const PAGE_BYTES = 1_000_000

/** How many keys to ask for after a page, if there was one. */
function nextSize(before: Page | undefined, most: number): number {
  if (before === undefined) return Math.min(FIRST_SIZE, most)
  const { kvs } = before
  return Math.max(1, Math.min(most, kvs.length * GROWTH, fitting(kvs)))
}

/** How many keys like these make a page. */
function fitting(kvs: readonly IKeyValue[]): number {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 1)
  return Math.floor((PAGE_BYTES * kvs.length) / bytes)
}

/**
 * Reads a page of as many keys as go into one message: less than `limit` when they are larger than those before, and a single one without
 * its value when even that is too large.
 * @throws {StoreError}
 */
async function readPage(caller: Caller, request: PageRequest, signal: AbortSignal): Promise<Page> {
  let { limit } = request
  for (;;) {
    const fewer = await answerOrTooLarge(caller, { ...request, limit }, signal)
    if (fewer !== 'too large') return { ...fewer, withoutValues: false }
    if (limit === 1) break
    limit = Math.max(1, Math.floor(limit / GROWTH))
  }
  return { ...(await readRange(caller, 'list', { ...request, limit, keys_only: true }, signal)), withoutValues: true }
}

/** Whoever is between us and etcd may take less than we do, and says the same. */
async function answerOrTooLarge(
  caller: Caller,
  request: PageRequest,
  signal: AbortSignal,
): Promise<RangeAnswer | 'too large'> {
  try {
    return await readRange(caller, 'list', request, signal)
  } catch (error) {
    if (toStoreError({ op: 'list' }, error).code !== 'RESOURCE_EXHAUSTED') throw error
    return 'too large'
  }
}
