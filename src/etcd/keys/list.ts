import { BrokenAnswer, toStoreError } from '../client/errors.ts'
import type { Caller } from '../client/call.ts'
import type { KeyList, KeyRecord } from './key.ts'
import type { Keyspace } from './keyspace.ts'
import type { Revision } from '../../lease/lease.ts'
import { glanceAtRange } from '../wire/messages.ts'
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
  const scope = new AbortController()
  const stop = (): void => {
    scope.abort()
  }
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  try {
    return await listPages(new Pages(caller, keyspace, pageSize, scope.signal))
  } finally {
    signal.removeEventListener('abort', stop)
    stop() // a page that is on its way is not waited for
  }
}

async function listPages(pages: Pages): Promise<KeyList> {
  const first = await pages.first()
  const { clusterId, revision } = first.header
  const { count } = first
  if (count > MOST_KEYS) throw new BrokenAnswer(`${count} keys in one directory`)
  const records: KeyRecord[] = []
  for (let page = first; ;) {
    if (!page.isInOrder) throw new BrokenAnswer('keys out of order')
    for (const record of page.records) records.push(record)
    expectRest(page, count - BigInt(records.length))
    if (!page.more) return { clusterId, revision, records }
    page = await pages.after(page, revision)
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

/** How a page was, as far as the next one hangs on it. */
interface PageMeasure {
  readonly keys: number
  readonly octets: number
  /** From the question to its arrival, in milliseconds. */
  readonly tookMs: number
}

/** Part of a list. */
interface Page extends RangeAnswer {
  readonly measure: PageMeasure
  /** Undefined: it has not been asked for yet. */
  readonly next: NextPage | undefined
}

/** A page that was asked for when the last key before it was seen. */
interface NextPage {
  readonly after: Buffer
  readonly page: Promise<Page>
}

type PageRequest = RangeRequest & { readonly limit: number }

/** The pages of one list. Each is asked for when the one before has come, so that etcd reads it while records are made of that one. */
class Pages {
  readonly #caller: Caller
  readonly #keyspace: Keyspace
  readonly #most: number
  readonly #signal: AbortSignal

  constructor(caller: Caller, keyspace: Keyspace, most: number, signal: AbortSignal) {
    this.#caller = caller
    this.#keyspace = keyspace
    this.#most = most
    this.#signal = signal
  }

  first(): Promise<Page> {
    return this.#read({ ...this.#keyspace.range, limit: nextSize(undefined, this.#most) })
  }

  /** The one behind a page that was not the last. */
  after({ lastKey = Buffer.of(), measure, next }: Page, revision: Revision): Promise<Page> {
    return next?.after.equals(lastKey) === true ? next.page : this.#readAfter(lastKey, measure, revision)
  }

  #readAfter(lastKey: Buffer, measure: PageMeasure, revision: Revision): Promise<Page> {
    const key = Buffer.concat([lastKey, Buffer.of(0)]) // the smallest above the last one read
    return this.#read({ ...this.#keyspace.range, key, limit: nextSize(measure, this.#most), revision })
  }

  async #read(request: PageRequest): Promise<Page> {
    const beganMs = performance.now()
    let arrivedMs: number | undefined
    let next: NextPage | undefined
    const onArrival = (bytes: Buffer): void => {
      arrivedMs = performance.now()
      const { keys, more, lastKey } = glanceAtRange(bytes)
      const { revision } = request
      // the first page says at which revision all others are read, once it is believed
      if (revision === undefined || !more || lastKey === undefined || next?.after.equals(lastKey) === true) return
      const measure = { keys, octets: bytes.length, tookMs: arrivedMs - beganMs }
      const page = this.#readAfter(lastKey, measure, revision)
      page.catch(() => undefined) // nobody may come to ask for it
      next = { after: lastKey, page }
    }
    const answer = await readPage(this.#caller, this.#keyspace, request, onArrival, this.#signal)
    const tookMs = (arrivedMs ?? performance.now()) - beganMs
    const measure = { keys: answer.records.length, octets: answer.octets, tookMs }
    return { ...answer, measure, next }
  }
}

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
function nextSize(before: PageMeasure | undefined, most: number): number {
  if (before === undefined) return Math.min(FIRST_SIZE, most)
  return Math.max(1, Math.min(most, before.keys * GROWTH, fitting(before), inTime(before)))
}

/**
 * How many keys come in time. Of thousands of nodes that list at once each waits for all others: with pages that take as long as a request
 * may, none of them would come to an end, however often they begin anew.
 */
const inTime = ({ keys, tookMs }: PageMeasure): number =>
  tookMs <= SLOW_MS ? Infinity : Math.max(LEAST_SIZE, Math.floor((keys * SLOW_MS) / tookMs))

/** How many keys like these make a page. */
const fitting = ({ keys, octets }: PageMeasure): number => Math.floor((PAGE_BYTES * keys) / (octets + 1))

/**
 * Reads a page of as many keys as go into one message: less than `limit` when they are larger than those before, and a single one without
 * its value when even that is too large.
 * @throws {StoreError}
 */
async function readPage(
  caller: Caller,
  keyspace: Keyspace,
  request: PageRequest,
  onArrival: (bytes: Buffer) => void,
  signal: AbortSignal,
): Promise<RangeAnswer> {
  let { limit } = request
  for (;;) {
    const fewer = await answerOrTooLarge(caller, keyspace, { ...request, limit }, onArrival, signal)
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
  onArrival: (bytes: Buffer) => void,
  signal: AbortSignal,
): Promise<RangeAnswer | 'too large'> {
  try {
    return await readRange(caller, keyspace, 'list', request, signal, onArrival)
  } catch (error) {
    if (toStoreError({ op: 'list' }, error).code !== 'RESOURCE_EXHAUSTED') throw error
    return 'too large'
  }
}
