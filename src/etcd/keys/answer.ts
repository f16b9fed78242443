import type { IKeyValue, IRangeResponse, IResponseHeader } from 'etcd3'

import type { Revision } from '../../lease/lease.ts'
import type { Caller } from '../client/call.ts'
import { BrokenAnswer } from '../client/errors.ts'
import { isWithin, type KeyRange } from './keyspace.ts'

/*
 * What etcd's protocol promises of every answer, held against what came: a server that breaks it is not etcd, or is not well, and nothing
 * it says is believed. etcd3 declares messages within messages as always there; one that did not come is null.
 */

/** What every answer says of the store. */
export interface Header {
  readonly clusterId: string
  readonly revision: Revision
  /** Election count. */
  readonly raftTerm: bigint
}

interface HasHeader {
  readonly header: IResponseHeader | null
}

/** @throws {BrokenAnswer} */
export function headerOf({ header }: HasHeader): Header {
  if (header === null) throw new BrokenAnswer('without a header')
  const revision = BigInt(header.revision)
  if (revision < 1n) throw new BrokenAnswer(`revision ${revision}`)
  return { clusterId: header.cluster_id, revision, raftTerm: BigInt(header.raft_term) }
}

/** Keys in an answer. */
export type Keys = Pick<IRangeResponse, 'kvs' | 'count'>

/** What was asked for. */
export interface Asked extends KeyRange {
  /** Keys at most. */
  readonly limit?: number
}

/**
 * Expects keys that were asked for, as they can stand at a revision.
 * @throws {BrokenAnswer}
 */
export function expectAsked({ kvs, count }: Keys, asked: Asked, revision: Revision): void {
  for (const kv of kvs) expectKey(kv, asked, revision)
  if (asked.limit !== undefined && kvs.length > asked.limit)
    throw new BrokenAnswer(`${kvs.length} keys where ${asked.limit} were asked for`)
  if (BigInt(count) < kvs.length) throw new BrokenAnswer(`${kvs.length} keys, counted as ${count}`)
}

/** Expects one key of a range, as it can stand at a revision. @throws {BrokenAnswer} */
export function expectKey(kv: IKeyValue, range: KeyRange, revision: Revision): void {
  const { key, create_revision, mod_revision } = kv
  expectWithin(key, range)
  const [created, modified] = [BigInt(create_revision), BigInt(mod_revision)]
  if (created < 1n || modified < created || modified > revision)
    throw new BrokenAnswer(`${shown(key)} of revisions ${created} and ${modified}, at revision ${revision}`)
}

/** @throws {BrokenAnswer} */
export function expectWithin(key: Buffer, range: KeyRange): void {
  if (!isWithin(range, key)) throw new BrokenAnswer(`with ${shown(key)}, which nobody asked for`)
}

const LONGEST_SHOWN = 200

/** A key in printable ASCII, and not too much of it: whoever made it up wants it in a log. */
const shown = (key: Buffer): string =>
  JSON.stringify(
    key
      .subarray(0, LONGEST_SHOWN)
      .toString('latin1')
      .replace(/[^\x20-\x7e]/g, '?'),
  )

/** A range of keys, as etcd is asked for it. */
export interface RangeRequest extends Asked {
  /** As they stood then; now, where not given. */
  readonly revision?: string
  readonly keys_only?: boolean
  readonly sort_target?: 'Mod'
  readonly sort_order?: 'Descend'
}

/** The part of an answer that is used, with its header read. */
export interface RangeAnswer extends Pick<IRangeResponse, 'kvs' | 'count' | 'more'> {
  readonly header: Header
}

/**
 * Reads keys, and takes no answer but to what was asked. Every read whose keys are of use goes through here. Another address is tried where one lies.
 * @throws {StoreError}
 */
export function readRange(
  caller: Caller,
  op: string,
  request: RangeRequest,
  signal: AbortSignal,
): Promise<RangeAnswer> {
  return caller.call(op, signal, async ({ kv }, options) => {
    const answer = await kv.range(request, options)
    const header = headerOf(answer)
    expectAsked(answer, request, request.revision === undefined ? header.revision : BigInt(request.revision))
    return { ...answer, header }
  })
}
