import type { IKeyValue } from 'etcd3'

import { BrokenAnswer, toStoreError } from '../client/errors.ts'
import type { Caller } from '../client/call.ts'
import type { KeyList, KeyRecord } from './key.ts'
import type { Keyspace } from './keyspace.ts'
import { nextSize, readPage, type Page } from './page.ts'

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
