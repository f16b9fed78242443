import { WireReader } from './reader.ts'
import { WireWriter } from './writer.ts'

/*
 * The messages that come by the thousand, as etcd describes them (etcd: api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto), of which no more
 * is read than is used. A field that comes twice counts as it came last. All reading throws MalformedMessage, and nothing else.
 */

/** What every answer begins with (ResponseHeader). */
export interface WireHeader {
  readonly clusterId: bigint
  readonly revision: bigint
  readonly raftTerm: bigint
}

/** One key (mvccpb.KeyValue), where it stands in the message. The same object stands for the next one afterwards. */
export interface WireKey {
  readonly bytes: Buffer
  readonly keyStart: number
  readonly keyStop: number
  readonly valueStart: number
  readonly valueStop: number
  readonly createRevision: bigint
  readonly modRevision: bigint
  readonly lease: bigint
}

/** A range's answer but for its keys (RangeResponse). */
export interface WireRange {
  readonly header: WireHeader | undefined
  readonly count: bigint
  readonly more: boolean
}

/** A watch's answer but for its changes (WatchResponse). */
export interface WireWatch {
  readonly header: WireHeader | undefined
  readonly watchId: bigint
  readonly created: boolean
  readonly canceled: boolean
  readonly compactRevision: bigint
  readonly cancelReason: string
  readonly fragment: boolean
  readonly changes: number
}

class KeyInMessage implements WireKey {
  readonly bytes: Buffer
  readonly #reader: WireReader
  keyStart = 0
  keyStop = 0
  valueStart = 0
  valueStop = 0
  createRevision = 0n
  modRevision = 0n
  lease = 0n

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.#reader = new WireReader(bytes)
  }

  read(start: number, stop: number): this {
    const reader = this.#reader
    reader.within(start, stop)
    this.keyStart = this.keyStop = this.valueStart = this.valueStop = start
    this.createRevision = this.modRevision = this.lease = 0n
    while (reader.next()) this.#take(reader)
    return this
  }

  #take(reader: WireReader): void {
    switch (reader.field) {
      case 1:
        reader.octets()
        this.keyStart = reader.start
        this.keyStop = reader.stop
        break
      case 2:
        this.createRevision = reader.int64()
        break
      case 3:
        this.modRevision = reader.int64()
        break
      case 5:
        reader.octets()
        this.valueStart = reader.start
        this.valueStop = reader.stop
        break
      case 6:
        this.lease = reader.int64()
        break
      default:
        reader.skip()
    }
  }
}

/** @param onKey called for each key, in the order in which they stand there */
export function readRangeResponse(bytes: Buffer, onKey: (key: WireKey) => void): WireRange {
  const reader = new WireReader(bytes)
  const key = new KeyInMessage(bytes)
  let [header, count, more]: [WireHeader | undefined, bigint, boolean] = [undefined, 0n, false]
  while (reader.next())
    if (reader.field === 1) header = readHeader(reader)
    else if (reader.field === 2) {
      reader.octets()
      onKey(key.read(reader.start, reader.stop))
    } else if (reader.field === 3) more = reader.boolean()
    else if (reader.field === 4) count = reader.int64()
    else reader.skip()
  return { header, count, more }
}

/** What a range's answer holds, at a glance: nothing is made of its keys but the last. */
export interface RangeGlance {
  readonly keys: number
  readonly more: boolean
  /** Undefined: there are no keys. */
  readonly lastKey: Buffer | undefined
}

export function glanceAtRange(bytes: Buffer): RangeGlance {
  const reader = new WireReader(bytes)
  let [keys, more, start, stop] = [0, false, 0, 0]
  while (reader.next())
    if (reader.field === 2) {
      reader.octets()
      keys++
      start = reader.start
      stop = reader.stop
    } else if (reader.field === 3) more = reader.boolean()
    else reader.skip()
  if (keys === 0) return { keys, more, lastKey: undefined }
  const last = new KeyInMessage(bytes).read(start, stop)
  return { keys, more, lastKey: Buffer.from(bytes.subarray(last.keyStart, last.keyStop)) }
}

function readHeader(reader: WireReader): WireHeader {
  reader.octets()
  const inner = new WireReader(reader.bytes, reader.start, reader.stop)
  let [clusterId, revision, raftTerm] = [0n, 0n, 0n]
  while (inner.next())
    if (inner.field === 1) clusterId = inner.uint64()
    else if (inner.field === 3) revision = inner.int64()
    else if (inner.field === 4) raftTerm = inner.uint64()
    else inner.skip()
  return { clusterId, revision, raftTerm }
}

/** What a change is (mvccpb.Event.EventType). */
export const [PUT, DELETE] = [0, 1]

/** @param onChange called for each change, in the order in which they stand there; of no key: undefined */
export function readWatchResponse(
  bytes: Buffer,
  onChange: (type: number, key: WireKey | undefined) => void,
): WireWatch {
  const reader = new WireReader(bytes)
  const key = new KeyInMessage(bytes)
  let header: WireHeader | undefined
  let [watchId, compactRevision, changes] = [0n, 0n, 0]
  let [created, canceled, fragment, cancelReason] = [false, false, false, '']
  while (reader.next())
    if (reader.field === 1) header = readHeader(reader)
    else if (reader.field === 2) watchId = reader.int64()
    else if (reader.field === 3) created = reader.boolean()
    else if (reader.field === 4) canceled = reader.boolean()
    else if (reader.field === 5) compactRevision = reader.int64()
    else if (reader.field === 6) cancelReason = readText(reader)
    else if (reader.field === 7) fragment = reader.boolean()
    else if (reader.field === 11) {
      changes++
      readEvent(reader, key, onChange)
    } else reader.skip()
  return { header, watchId, created, canceled, compactRevision, cancelReason, fragment, changes }
}

function readText(reader: WireReader): string {
  reader.octets()
  return reader.bytes.toString('utf8', reader.start, reader.stop)
}

function readEvent(
  reader: WireReader,
  key: KeyInMessage,
  onChange: (type: number, key: WireKey | undefined) => void,
): void {
  reader.octets()
  const inner = new WireReader(reader.bytes, reader.start, reader.stop)
  let [type, changed]: [number, WireKey | undefined] = [PUT, undefined]
  while (inner.next())
    if (inner.field === 1) type = inner.int32()
    else if (inner.field === 2) {
      inner.octets()
      changed = key.read(inner.start, inner.stop)
    } else inner.skip()
  onChange(type, changed)
}

/** What is asked of a range (RangeRequest). */
export interface WireRangeRequest {
  readonly key: Uint8Array
  readonly rangeEnd?: Uint8Array | undefined
  readonly limit?: number | undefined
  readonly revision?: bigint | undefined
  readonly isKeysOnly?: boolean | undefined
  /** The one that was written last comes first. */
  readonly isNewestFirst?: boolean | undefined
}

const [DESCEND, BY_MOD_REVISION] = [2n, 3n]

export const writeRangeRequest = (request: WireRangeRequest): Buffer =>
  new WireWriter()
    .octets(1, request.key)
    .octets(2, request.rangeEnd)
    .int64(3, BigInt(request.limit ?? 0))
    .int64(4, request.revision)
    .int64(5, request.isNewestFirst === true ? DESCEND : 0n)
    .int64(6, request.isNewestFirst === true ? BY_MOD_REVISION : 0n)
    .boolean(8, request.isKeysOnly)
    .finish()

/** What a watcher is to be told of (WatchCreateRequest). */
export interface WireWatchRequest {
  readonly key: Uint8Array
  readonly rangeEnd?: Uint8Array | undefined
  readonly startRevision: bigint
}

/** With word of progress, and answers that are too large for a message in fragments. */
export const writeWatchRequest = ({ key, rangeEnd, startRevision }: WireWatchRequest): Buffer => {
  const create = new WireWriter()
    .octets(1, key)
    .octets(2, rangeEnd)
    .int64(3, startRevision)
    .boolean(4, true)
    .boolean(8, true)
  return new WireWriter().octets(1, create.finish()).finish()
}
