import type { ICompare, IRequestOp, ITxnResponse } from 'etcd3'

import type { Revision } from '../../lease/lease.ts'
import type { Newcomers } from '../../lease/store.ts'
import type { Caller } from '../client/call.ts'
import { BrokenAnswer } from '../client/errors.ts'
import { expectAsked, headerOf, readRange, wireKeys, type Keys } from './answer.ts'
import type { KeyRecord } from './key.ts'
import type { Keyspace } from './keyspace.ts'

export type TransactionOutcome =
  | { readonly done: true; readonly revision: Revision }
  /** `certain`: it was refused. Otherwise it was sent more than once, and an earlier copy may be what refused this one. */
  | { readonly done: false; readonly found: KeyRecord | undefined; readonly certain: boolean }

/** One change to one key on condition. */
export interface Change {
  readonly op: string
  readonly key: string
  /** State it applies to; undefined: the key does not exist. */
  readonly seen: KeyRecord | undefined
  readonly request: IRequestOp
  /** Also only if it says what was seen: an etcd that was restored meanwhile gives the same revision to another value. */
  readonly isValueCompared?: boolean
  /** Also only if none of these keys was created after that revision. */
  readonly unless?: Newcomers | undefined
}

/**
 * Runs a change if the key is still as seen, else reads what stands there, in one transaction.
 * @throws {StoreError} after which the change may have been carried out
 */
export async function transact(
  caller: Caller,
  keyspace: Keyspace,
  change: Change,
  signal: AbortSignal,
): Promise<TransactionOutcome> {
  const { op, request } = change
  const key = keyspace.keyOf(change.key)
  const compare = conditionsOf(change, keyspace)
  let sent = 0
  const outcome = await caller.call(op, signal, async ({ kv }, options) => {
    sent += 1
    const transaction = { compare, success: [request], failure: [{ request_range: { key } }] }
    return readOutcome(await kv.txn(transaction, options), key)
  })
  if ('revision' in outcome) return { done: true, revision: outcome.revision }
  const [found] = wireKeys(outcome)
  return { done: false, found: found && keyspace.record(found), certain: sent === 1 }
}

/** @throws {BrokenAnswer} */
function readOutcome(answer: ITxnResponse, key: Buffer): { readonly revision: Revision } | Keys {
  const { revision } = headerOf(answer)
  if (answer.succeeded) return { revision }
  const [first]: readonly { readonly response_range: Keys | null }[] = answer.responses
  const keys = first?.response_range ?? undefined
  if (keys === undefined) throw new BrokenAnswer('a transaction that was refused, without what stands there')
  expectAsked(keys, { key }, revision)
  return keys
}

/** The key as it stands. @throws {StoreError} */
export async function readRecord(
  caller: Caller,
  keyspace: Keyspace,
  change: Pick<Change, 'op' | 'key'>,
  signal: AbortSignal,
): Promise<KeyRecord | undefined> {
  const { records } = await readRange(caller, keyspace, change.op, { key: keyspace.keyOf(change.key) }, signal)
  return records[0]
}

function conditionsOf({ key: name, seen, unless, isValueCompared = false }: Change, keyspace: Keyspace): ICompare[] {
  const key = keyspace.keyOf(name)
  return [
    unchanged(key, seen),
    ...(isValueCompared && seen !== undefined ? [says(key, seen.value)] : []),
    ...(unless === undefined ? [] : noneCreatedSince(unless, keyspace)),
  ]
}

/** A compare with a range holds if it holds for every key in that range, and so for none (etcd: `Compare.range_end`, since 3.3). */
function noneCreatedSince({ after, within }: Newcomers, keyspace: Keyspace): ICompare[] {
  const ranges = within === 'everywhere' ? [keyspace.range] : within.map(({ from, to }) => keyspace.rangeOf(from, to))
  const create_revision = String(after + 1n)
  return ranges.map((range) => ({ ...range, result: 'Less', target: 'Create', create_revision }))
}

function unchanged(key: Buffer, seen: KeyRecord | undefined): ICompare {
  return seen === undefined
    ? { key, result: 'Equal', target: 'Version', version: 0 }
    : { key, result: 'Equal', target: 'Mod', mod_revision: String(seen.modRevision) }
}

const says = (key: Buffer, value: string): ICompare => ({
  key,
  result: 'Equal',
  target: 'Value',
  value: Buffer.from(value),
})
