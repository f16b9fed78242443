import type { IKeyValue, IRangeResponse, IResponseHeader } from 'etcd3'

import type { Revision } from '../../lease/lease.ts'
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

/** What was asked for. */
export interface Asked extends KeyRange {
  /** Keys at most. */
  readonly limit?: number
}

/**
 * Expects keys that were asked for, as they can stand at a revision.
 * @throws {BrokenAnswer}
 */
export function expectAsked({ kvs, count }: IRangeResponse, asked: Asked, revision: Revision): void {
  for (const kv of kvs) expectKey(kv, asked, revision)
  if (asked.limit !== undefined && kvs.length > asked.limit)
    throw new BrokenAnswer(`${kvs.length} keys where ${asked.limit} were asked for`)
  if (BigInt(count) < kvs.length) throw new BrokenAnswer(`${kvs.length} keys, counted as ${count}`)
}

/** Expects one key of a range, as it can stand at a revision. @throws {BrokenAnswer} */
export function expectKey(kv: IKeyValue, range: KeyRange, revision: Revision): void {
  const { key, create_revision, mod_revision } = kv
  if (!isWithin(range, key)) throw new BrokenAnswer(`with ${shown(key)}, which nobody asked for`)
  const [created, modified] = [BigInt(create_revision), BigInt(mod_revision)]
  if (created < 1n || modified < created || modified > revision)
    throw new BrokenAnswer(`${shown(key)} of revisions ${created} and ${modified}, at revision ${revision}`)
}

const LONGEST_SHOWN = 200

/** A key in printable ASCII, and not too much of it: whoever made it up wants it in a log. */
export const shown = (key: Buffer): string =>
  JSON.stringify(
    key
      .subarray(0, LONGEST_SHOWN)
      .toString('latin1')
      .replace(/[^\x20-\x7e]/g, '?'),
  )
