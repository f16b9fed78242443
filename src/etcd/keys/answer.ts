import { setImmediate as nextTurn } from 'node:timers/promises'
import type { IRangeResponse, IResponseHeader } from 'etcd3'

import type { Revision } from '../../lease/lease.ts'
import type { Caller } from '../client/call.ts'
import { BrokenAnswer } from '../client/errors.ts'
import { readRangeResponse, writeRangeRequest, type WireHeader, type WireKey } from '../wire/messages.ts'
import type { KeyRecord } from './key.ts'
import { isWithin, order, type KeyRange, type Keyspace } from './keyspace.ts'

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
  if (header === null) return headerIn(undefined)
  const { cluster_id, revision, raft_term } = header
  return headerIn({ clusterId: BigInt(cluster_id), revision: BigInt(revision), raftTerm: BigInt(raft_term) })
}

/** @throws {BrokenAnswer} */
export function headerIn(header: WireHeader | undefined): Header {
  if (header === undefined) throw new BrokenAnswer('without a header')
  const { clusterId, revision, raftTerm } = header
  if (revision < 1n) throw new BrokenAnswer(`revision ${revision}`)
  return { clusterId: String(clusterId), revision, raftTerm }
}

/** Keys in an answer of etcd3. */
export type Keys = Pick<IRangeResponse, 'kvs' | 'count'>

/** What was asked for. */
export interface Asked extends KeyRange {
  /** Keys at most. */
  readonly limit?: number
}

/** The keys in an answer of etcd3, as they come in a message. */
export const wireKeys = ({ kvs }: Keys): readonly WireKey[] =>
  kvs.map(({ key, value, create_revision, mod_revision, lease }) => ({
    bytes: Buffer.concat([key, value]),
    ...{ keyStart: 0, keyStop: key.length, valueStart: key.length, valueStop: key.length + value.length },
    ...{ createRevision: BigInt(create_revision), modRevision: BigInt(mod_revision), lease: BigInt(lease) },
  }))

/**
 * Expects keys that were asked for, as they can stand at a revision.
 * @throws {BrokenAnswer}
 */
export function expectAsked(keys: Keys, asked: Asked, revision: Revision): void {
  for (const key of wireKeys(keys)) expectKey(key, asked, revision)
  expectCount(keys.kvs.length, BigInt(keys.count), asked)
}

function expectCount(keys: number, count: bigint, { limit }: Asked): void {
  if (limit !== undefined && keys > limit) throw new BrokenAnswer(`${keys} keys where ${limit} were asked for`)
  if (count < keys) throw new BrokenAnswer(`${keys} keys, counted as ${count}`)
}

/** Expects one key of a range, as it can stand at a revision. @throws {BrokenAnswer} */
export function expectKey(key: WireKey, range: KeyRange, revision: Revision): void {
  expectWithin(key, range)
  const { createRevision, modRevision } = key
  if (createRevision < 1n || modRevision < createRevision || modRevision > revision)
    throw impossible(key, createRevision, modRevision, revision)
}

const impossible = (key: KeyPlace, created: Revision, modified: Revision, at: Revision): BrokenAnswer =>
  new BrokenAnswer(`${shown(key)} of revisions ${created} and ${modified}, at revision ${at}`)

type KeyPlace = Pick<WireKey, 'bytes' | 'keyStart' | 'keyStop'>

/** @throws {BrokenAnswer} */
export function expectWithin(key: KeyPlace, range: KeyRange): void {
  const { bytes, keyStart, keyStop } = key
  if (!isWithin(range, bytes, keyStart, keyStop)) throw new BrokenAnswer(`with ${shown(key)}, which nobody asked for`)
}

const LONGEST_SHOWN = 200

/** A key in printable ASCII, and not too much of it: whoever made it up wants it in a log. */
const shown = ({ bytes, keyStart, keyStop }: KeyPlace): string =>
  JSON.stringify(
    bytes.toString('latin1', keyStart, Math.min(keyStop, keyStart + LONGEST_SHOWN)).replace(/[^\x20-\x7e]/g, '?'),
  )

/** A range of keys, as etcd is asked for it. */
export interface RangeRequest extends Asked {
  /** As they stood then; now, where not given. */
  readonly revision?: Revision
  readonly isKeysOnly?: boolean
  /** The one that was written last comes first. */
  readonly isNewestFirst?: boolean
}

/** The part of an answer that is used. */
export interface RangeAnswer {
  readonly header: Header
  /** Of the range, however many have come. */
  readonly count: bigint
  readonly more: boolean
  /** In the order in which they came. */
  readonly records: readonly KeyRecord[]
  /** Whether that is the order of the keys, and none comes twice. */
  readonly isInOrder: boolean
  /** All of the last one; undefined: none has come. */
  readonly lastKey: Buffer | undefined
  /** Of keys and values. */
  readonly octets: number
}

/**
 * Reads keys, and takes no answer but to what was asked. Every read whose keys are of use goes through here. Another address is tried where one lies.
 * @param keyspace makes records of them
 * @param onArrival called with the octets of an answer before anything is made of them: what it asks for is on its way meanwhile. It is
 * called again when the answer is not believed and another address gives one
 * @throws {StoreError}
 */
export function readRange(
  caller: Caller,
  keyspace: Keyspace,
  op: string,
  request: RangeRequest,
  signal: AbortSignal,
  onArrival?: (bytes: Buffer) => void,
): Promise<RangeAnswer> {
  const { key, range_end: rangeEnd } = request
  const bytes = writeRangeRequest({ ...request, key, rangeEnd })
  return caller.call(op, signal, async (_, options, __, raw) => {
    const answer = await raw.unary('KV/Range', bytes, options)
    if (onArrival !== undefined) {
      onArrival(answer)
      await nextTurn() // what is asked for is sent when a turn ends
    }
    return readRangeAnswer(answer, keyspace, request)
  })
}

/**
 * Makes records of an answer as it comes, and nothing else of each key.
 * @throws {BrokenAnswer | MalformedMessage}
 */
export function readRangeAnswer(bytes: Buffer, keyspace: Keyspace, asked: RangeRequest): RangeAnswer {
  const keys = new KeysOfAnswer(keyspace, asked)
  const answer = readRangeResponse(bytes, (key) => {
    keys.take(key)
  })
  const header = headerIn(answer.header)
  const { records, isInOrder, octets } = keys
  keys.expectUpTo(asked.revision ?? header.revision, bytes)
  expectCount(records.length, answer.count, asked)
  return { header, count: answer.count, more: answer.more, records, isInOrder, octets, lastKey: keys.lastKey(bytes) }
}

/** The keys of one answer, as they come. */
class KeysOfAnswer {
  readonly records: KeyRecord[] = []
  isInOrder = true
  octets = 0
  readonly #keyspace: Keyspace
  readonly #asked: RangeRequest
  /** Where the last key stands. */
  #start = 0
  #stop = 0
  /** The one that was written last: where it stands, and its revisions. */
  #newest = { keyStart: 0, keyStop: 0, created: 0n, modified: 0n }

  constructor(keyspace: Keyspace, asked: RangeRequest) {
    this.#keyspace = keyspace
    this.#asked = asked
  }

  /** @throws {BrokenAnswer} when nobody asked for it, or it cannot stand so at any revision */
  take(key: WireKey): void {
    const { bytes, keyStart, keyStop, valueStart, valueStop, createRevision, modRevision } = key
    expectKey(key, this.#asked, modRevision)
    if (this.records.length > 0 && order(bytes, keyStart, keyStop, bytes, this.#start, this.#stop) <= 0)
      this.isInOrder = false
    this.#start = keyStart
    this.#stop = keyStop
    if (modRevision > this.#newest.modified)
      this.#newest = { keyStart, keyStop, created: createRevision, modified: modRevision }
    this.octets += keyStop - keyStart + valueStop - valueStart
    this.records.push(this.#keyspace.record(key))
  }

  /** @throws {BrokenAnswer} when one of them is of the future */
  expectUpTo(revision: Revision, bytes: Buffer): void {
    const { created, modified, ...place } = this.#newest
    if (modified > revision) throw impossible({ bytes, ...place }, created, modified, revision)
  }

  lastKey(bytes: Buffer): Buffer | undefined {
    return this.records.length === 0 ? undefined : Buffer.from(bytes.subarray(this.#start, this.#stop))
  }
}
