import type { IKeyValue } from 'etcd3'

import type { Caller } from '../client/call.ts'
import { toStoreError } from '../client/errors.ts'
import { readRange, type RangeAnswer, type RangeRequest } from './range.ts'

/** Part of a list. */
export interface Page extends RangeAnswer {
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
export function nextSize(before: Page | undefined, most: number): number {
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
export async function readPage(caller: Caller, request: PageRequest, signal: AbortSignal): Promise<Page> {
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
