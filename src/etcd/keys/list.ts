import type { IKeyValue, IRangeResponse } from 'etcd3'

import { toStoreError } from '../client/errors.ts'
import type { Caller } from '../client/call.ts'
import type { KeyList, KeyRecord } from './key.ts'
import type { KeyRange, Keyspace } from './keyspace.ts'

/** A compaction between two pages takes the revision away from under us; more often than this it is no accident. */
const ATTEMPTS = 5

/** The first page tells how large the keys are; of large ones, later pages hold about so many bytes. */
const FIRST_PAGE_SIZE = 50
const PAGE_BYTES = 4_000_000

/**
 * All keys of a directory as they stood at one revision, read in pages so that no answer holds etcd or us for long.
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
  const page = (range: KeyRange, limit: number, revision?: string): Promise<IRangeResponse> =>
    caller.call('list', signal, ({ kv }, options) =>
      kv.range({ ...range, limit, ...(revision === undefined ? {} : { revision }) }, options),
    )
  let answer = await page(keyspace.range, Math.min(FIRST_PAGE_SIZE, pageSize))
  const { cluster_id: clusterId, revision } = answer.header
  const records: KeyRecord[] = []
  for (;;) {
    const { kvs, more } = answer
    for (const kv of kvs) records.push(keyspace.record(kv))
    if (!more) return { clusterId, revision: BigInt(revision), records }
    answer = await page({ ...keyspace.range, key: keyAfter(kvs) }, Math.min(pageSize, fitting(kvs)), revision)
  }
}

/** How many keys like these make a page. */
function fitting(kvs: readonly IKeyValue[]): number {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 1)
  return Math.max(1, Math.floor((PAGE_BYTES * kvs.length) / bytes))
}

/** The smallest key above the last one read. */
function keyAfter(kvs: readonly IKeyValue[]): Buffer {
  return Buffer.concat([kvs.at(-1)?.key ?? Buffer.of(), Buffer.of(0)])
}
