import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, it } from 'vitest'
import {
  readRangeResponse,
  readWatchResponse,
  writeRangeRequest,
  writeWatchRequest,
  type WireHeader,
  type WireKey,
} from '../../src/etcd/wire/messages.ts'
import { MalformedMessage } from '../../src/etcd/wire/reader.ts'
import { fuzzRuns } from './fuzz-runs.ts'

const PROTOCOL = join(dirname(createRequire(import.meta.url).resolve('etcd3/package.json')), 'proto/rpc.proto')
const root = new protobuf.Root().loadSync(PROTOCOL, { keepCase: true })
/** Fields that we pass over; protobufjs looks at all it knows, and takes them as it knows them however they are written. */
for (const [name, field] of [
  ['etcdserverpb.ResponseHeader', 'member_id'],
  ['mvccpb.KeyValue', 'version'],
  ['mvccpb.Event', 'prev_kv'],
] as const) {
  const type = root.lookupType(name)
  const passedOver = type.fields[field]
  if (passedOver !== undefined) type.remove(passedOver)
}
const typeOf = (name: string): protobuf.Type => root.lookupType(`etcdserverpb.${name}`)
const [RANGE, WATCH, RANGE_REQUEST, WATCH_REQUEST] = [
  'RangeResponse',
  'WatchResponse',
  'RangeRequest',
  'WatchRequest',
].map(typeOf) as [protobuf.Type, protobuf.Type, protobuf.Type, protobuf.Type]
const numRuns = fuzzRuns(2_000)

type Plain = Readonly<Record<string, unknown>>

/** As etcd3 has it: numbers of 64 bits as texts, what is missing as nothing. */
const theirs = (type: protobuf.Type, bytes: Uint8Array): Plain =>
  type.toObject(type.decode(bytes), { longs: String, enums: Number, defaults: true, bytes: Array })
const written = (type: protobuf.Type, message: object): Buffer =>
  Buffer.from(type.encode(type.fromObject(message)).finish())

const octets = (bytes: Buffer, from: number, to: number): readonly number[] => [...bytes.subarray(from, to)]

const shownKey = (kv: WireKey): Plain => ({
  key: octets(kv.bytes, kv.keyStart, kv.keyStop),
  value: octets(kv.bytes, kv.valueStart, kv.valueStop),
  create_revision: String(kv.createRevision),
  mod_revision: String(kv.modRevision),
  lease: String(kv.lease),
})

const shownHeader = (header: WireHeader | undefined): unknown =>
  header === undefined
    ? null
    : {
        ...{ cluster_id: String(header.clusterId), revision: String(header.revision) },
        raft_term: String(header.raftTerm),
      }

function ourRange(bytes: Buffer): Plain {
  const kvs: Plain[] = []
  const { header, count, more } = readRangeResponse(bytes, (key) => kvs.push(shownKey(key)))
  return { header: shownHeader(header), kvs, count: String(count), more }
}

function ourWatch(bytes: Buffer): Plain {
  const events: Plain[] = []
  const answer = readWatchResponse(bytes, (type, kv) =>
    events.push({ type, kv: kv === undefined ? null : shownKey(kv) }),
  )
  const { header, watchId, created, canceled, compactRevision, cancelReason, fragment, changes } = answer
  expect(changes).toBe(events.length)
  return {
    ...{ header: shownHeader(header), watch_id: String(watchId), created, canceled, fragment, events },
    ...{ compact_revision: String(compactRevision), cancel_reason: cancelReason },
  }
}

const picked = (from: unknown, names: readonly string[]): Plain | null =>
  typeof from === 'object' && from !== null
    ? Object.fromEntries(names.map((name) => [name, (from as Plain)[name]]))
    : null

const KEY = ['key', 'value', 'create_revision', 'mod_revision', 'lease']
const HEADER = ['cluster_id', 'revision', 'raft_term']

const theirRange = (bytes: Uint8Array): Plain => {
  const { header, kvs, count, more } = theirs(RANGE, bytes)
  return { header: picked(header, HEADER), kvs: (kvs as readonly unknown[]).map((kv) => picked(kv, KEY)), count, more }
}

const theirWatch = (bytes: Uint8Array): Plain => {
  const answer = theirs(WATCH, bytes)
  const events = (answer['events'] as readonly Plain[]).map(({ type, kv }) => ({ type, kv: picked(kv, KEY) }))
  const rest = picked(answer, ['watch_id', 'created', 'canceled', 'fragment', 'compact_revision', 'cancel_reason'])
  return { ...rest, header: picked(answer['header'], HEADER), events }
}

const int64 = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n })).map(String)
const uint64 = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })).map(String)
const bytes = fc.uint8Array({ maxLength: 200 })
const partly = <T extends object>(fields: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>
const header = partly({ cluster_id: uint64, revision: int64, raft_term: uint64 })
const kv = partly({
  key: bytes,
  value: bytes,
  create_revision: int64,
  mod_revision: int64,
  version: int64,
  lease: int64,
})
const range = partly({ header, kvs: fc.array(kv, { maxLength: 6 }), more: fc.boolean(), count: int64 })
const event = partly({ type: fc.constantFrom(0, 1), kv })
const watch = partly({
  ...{ header, watch_id: int64, created: fc.boolean(), canceled: fc.boolean(), compact_revision: int64 },
  ...{ cancel_reason: fc.string(), fragment: fc.boolean(), events: fc.array(event, { maxLength: 6 }) },
})

const range$ = range.map((message) => written(RANGE, message))
const watch$ = watch.map((message) => written(WATCH, message))
/** Fields that nobody knows, of all kinds, before and behind what is known, as those are that are of no use. */
const unknown = fc.constantFrom(
  [0xc0, 0x3e, 0x96, 1],
  [0xc1, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8],
  [0xc2, 0x3e, 1, 9],
  [0xc5, 0x3e, 1, 2, 3, 4],
)
const surrounded = (message: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(fc.array(unknown), message, fc.array(unknown))
    .map(([before, known, behind]) => Buffer.concat([Buffer.from(before.flat()), known, Buffer.from(behind.flat())]))
/** Cut, or with octets that are others. */
const damaged = (message: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(message, fc.nat(400), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 3 }))
    .map(([whole, length, others]) => {
      const cut = Buffer.from(whole.subarray(0, length))
      for (const [at, octet] of others) if (at < cut.length) cut[at] = octet
      return cut
    })

/** With octets around it in the same memory, which are none of the message's business. */
function amid(message: Buffer): Buffer {
  const memory = Buffer.alloc(message.length + 64, 0xff)
  message.copy(memory, 32)
  return memory.subarray(32, 32 + message.length)
}

function tried(read: (message: Buffer) => Plain, message: Buffer): Plain | undefined {
  try {
    return read(amid(message))
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    return undefined
  }
}

function theyRead(read: (message: Uint8Array) => Plain, message: Uint8Array): Plain | undefined {
  try {
    return read(message)
  } catch {
    return undefined
  }
}

describe("Answers of etcd's", () => {
  it.each([
    ['to a range', surrounded(range$), ourRange, theirRange],
    ['of a watch', surrounded(watch$), ourWatch, theirWatch],
  ])('%s are read as protobufjs reads them', (_, message, ours, they) => {
    fc.assert(
      fc.property(message, (one) => {
        expect(ours(amid(one))).toEqual(they(one))
      }),
      { numRuns },
    )
  })

  it.each([
    ['to a range', damaged(surrounded(range$)), ourRange, theirRange],
    ['of a watch', damaged(surrounded(watch$)), ourWatch, theirWatch],
    ['of no sense', fc.uint8Array({ maxLength: 60 }).map((any) => Buffer.from(any)), ourRange, theirRange],
    ['of no sense to a watch', fc.uint8Array({ maxLength: 60 }).map((any) => Buffer.from(any)), ourWatch, theirWatch],
  ])('%s that are damaged are refused with one error, or read as protobufjs reads them', (_, message, ours, they) => {
    fc.assert(
      fc.property(message, (one) => {
        const read = tried(ours, one)
        const alike = read && theyRead(they, one) // they take no truth value of more than five octets
        if (alike !== undefined) expect(read).toEqual(alike)
      }),
      { numRuns: numRuns * 2 },
    )
  })
})

describe('Requests to etcd', () => {
  it('for a range are as protobufjs writes them', () => {
    const request = fc.record(
      {
        key: bytes,
        rangeEnd: bytes,
        limit: fc.nat(),
        revision: fc.bigInt(0n, 1n << 62n),
        isKeysOnly: fc.boolean(),
        isNewestFirst: fc.boolean(),
      },
      { requiredKeys: ['key'] },
    )
    fc.assert(
      fc.property(request, (asked) => {
        const { key, rangeEnd: range_end, limit, revision, isKeysOnly: keys_only, isNewestFirst } = asked
        const sorted = isNewestFirst === true ? { sort_order: 2, sort_target: 3 } : {}
        const message = { key, range_end, limit, revision: revision && String(revision), keys_only, ...sorted }
        expect(theirs(RANGE_REQUEST, writeRangeRequest(asked))).toEqual(
          theirs(RANGE_REQUEST, written(RANGE_REQUEST, message)),
        )
      }),
    )
  })

  it('for a watch ask for progress and fragments', () => {
    fc.assert(
      fc.property(
        bytes.filter(({ length }) => length > 0),
        bytes,
        fc.bigInt(0n, 1n << 62n),
        (key, rangeEnd, startRevision) => {
          const create = {
            key,
            range_end: rangeEnd,
            start_revision: String(startRevision),
            progress_notify: true,
            fragment: true,
          }
          expect(theirs(WATCH_REQUEST, writeWatchRequest({ key, rangeEnd, startRevision }))).toEqual(
            theirs(WATCH_REQUEST, written(WATCH_REQUEST, { create_request: create })),
          )
        },
      ),
    )
  })
})
