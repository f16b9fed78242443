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
  const read = async (request: PageRequest): Promise<Page> => {
    const beganMs = performance.now()
    const answer = await readPage(caller, keyspace, request, signal)
    return { ...answer, tookMs: performance.now() - beganMs }
  }
  const first = await read({ ...keyspace.range, limit: nextSize(undefined, pageSize) })
  const { clusterId, revision } = first.header
  const { count } = first
  if (count > MOST_KEYS) throw new BrokenAnswer(`${count} keys in one directory`)
  const records: KeyRecord[] = []
  for (let page = first; ;) {
    if (!page.isInOrder) throw new BrokenAnswer('keys out of order')
    for (const record of page.records) records.push(record)
    expectRest(page, count - BigInt(records.length))
    if (!page.more) return { clusterId, revision, records }
    const key = Buffer.concat([page.lastKey ?? Buffer.of(), Buffer.of(0)]) // the smallest above the last one read
    page = await read({ ...keyspace.range, key, limit: nextSize(page, pageSize), revision })
  }
}

/**
 * A list that ends before all keys have come would make peers vanish, and one that goes on behind them would never end.
 * @throws {BrokenAnswer}
 */
function expectRest({ records, more }: RangeAnswer, left: bigint): void {
  if (more ? left <= 0n || records.length === 0 : left !== 0n)
    throw new BrokenAnswer(`${more ? 'more' : 'no more'} keys to come, where ${left} of those counted are left`)
}

/** Part of a list. */
interface Page extends RangeAnswer {
  readonly tookMs: number
}

type PageRequest = RangeRequest & { readonly limit: number }

/** So few keys are no more than we take even if each is as large as etcd lets it be by default (`--max-request-bytes`: 1.5 MiB). */
const FIRST_SIZE = 4
/** A page has so many times the keys of the one before at most: what is behind small keys may be large ones. */
const GROWTH = 8
/** Of keys whose size is known from the page before, in bytes. */
const PAGE_BYTES = 1_000_000
/** A page should take no longer, in milliseconds: a fifth of the time for a request. */
const SLOW_MS = 1_000
/** With fewer, etcd would have more to do with requests than with keys. */
const LEAST_SIZE = 32

/** How many keys to ask for after a page, if there was one. */
function nextSize(before: Page | undefined, most: number): number {
  if (before === undefined) return Math.min(FIRST_SIZE, most)
  const { records } = before
  return Math.max(1, Math.min(most, records.length * GROWTH, fitting(before), inTime(before)))
}

/**
 * How many keys come in time. Of thousands of nodes that list at once each waits for all others: with pages that take as long as a request
 * may, none of them would come to an end, however often they begin anew.
 */
const inTime = ({ records, tookMs }: Page): number =>
  tookMs <= SLOW_MS ? Infinity : Math.max(LEAST_SIZE, Math.floor((records.length * SLOW_MS) / tookMs))

/** How many keys like these make a page. */
const fitting = ({ records, octets }: Page): number => Math.floor((PAGE_BYTES * records.length) / (octets + 1))

/**
 * Reads a page of as many keys as go into one message: less than `limit` when they are larger than those before, and a single one without
 * its value when even that is too large.
 * @throws {StoreError}
 */
async function readPage(
  caller: Caller,
  keyspace: Keyspace,
  request: PageRequest,
  signal: AbortSignal,
): Promise<RangeAnswer> {
  let { limit } = request
  for (;;) {
    const fewer = await answerOrTooLarge(caller, keyspace, { ...request, limit }, signal)
    if (fewer !== 'too large') return fewer
    if (limit === 1) break
    limit = Math.max(1, Math.floor(limit / GROWTH))
  }
  const page = await readRange(caller, keyspace, 'list', { ...request, limit, isKeysOnly: true }, signal)
  return { ...page, records: page.records.map((record) => keyspace.withoutValue(record)) }
}

/** Whoever is between us and etcd may take less than we do, and says the same. */
async function answerOrTooLarge(
  caller: Caller,
  keyspace: Keyspace,
  request: PageRequest,
  signal: AbortSignal,
): Promise<RangeAnswer | 'too large'> {
  try {
    return await readRange(caller, keyspace, 'list', request, signal)
  } catch (error) {
    if (toStoreError({ op: 'list' }, error).code !== 'RESOURCE_EXHAUSTED') throw error
    return 'too large'
  }
}
