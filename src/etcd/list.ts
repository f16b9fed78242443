import type { IKeyValue, IRangeResponse } from 'etcd3'

import type { LeaseList, LeaseRecord } from '../lease/store.ts'
import { toStoreError } from './errors.ts'
import type { Caller } from './call.ts'
import type { KeyRange, Keyspace } from './keyspace.ts'

/** A compaction between two pages takes the revision away from under us; more often than this it is no accident. */
const ATTEMPTS = 5

/**
 * All leases as they stood at one revision, read in pages so that no answer holds etcd or us for long.
 * @throws {StoreError}
 */
export async function listLeases(
  caller: Caller,
  keyspace: Keyspace,
  pageSize: number,
  signal: AbortSignal,
): Promise<LeaseList> {
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
): Promise<LeaseList> {
  const page = (range: KeyRange, revision?: string): Promise<IRangeResponse> =>
    caller.call('list', signal, ({ kv }, options) =>
      kv.range({ ...range, limit: pageSize, ...(revision === undefined ? {} : { revision }) }, options),
    )
  const first = await page(keyspace.range)
  const { cluster_id: clusterId, revision } = first.header
  const records: LeaseRecord[] = []
  for (let { kvs, more } = first; ; { kvs, more } = await page({ ...keyspace.range, key: keyAfter(kvs) }, revision)) {
    for (const kv of kvs) records.push(keyspace.record(kv))
    if (!more) return { clusterId, revision: BigInt(revision), records }
  }
}

/** The smallest key above the last one read. */
function keyAfter(kvs: readonly IKeyValue[]): Buffer {
  return Buffer.concat([kvs.at(-1)?.key ?? Buffer.of(), Buffer.of(0)])
}
