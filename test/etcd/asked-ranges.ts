import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

import protobuf from 'protobufjs'

import type { WireCall } from './wire-relay.ts'

/** Keys that a request is about. */
export interface AskedRange {
  /** The message that holds it, such as `RangeRequest`. */
  readonly of: string
  readonly key: Buffer
  /** As sent: undefined when the field was not, empty when an empty one was. */
  readonly end: Buffer | undefined
}

const rpc = join(dirname(createRequire(import.meta.url).resolve('etcd3/package.json')), 'proto', 'rpc.proto')
const root = new protobuf.Root().loadSync(rpc, { keepCase: true })
root.resolveAll()

/** What the messages of a call ask for, write, watch, compare or delete: all of it, wherever it stands in them. */
export function askedRanges({ path, requests }: WireCall): readonly AskedRange[] {
  const [, service = '', method = ''] = path.split('/')
  const type = root.lookupService(service).methods[method]?.resolvedRequestType ?? undefined
  if (type === undefined) throw new Error(`${path} is not in ${rpc}`)
  return requests.flatMap((bytes) => rangesIn(type, bytes))
}

/** A request to read, as an object: 64-bit numbers are texts, and so are names of enumerations. */
export function asRangeRequest(bytes: Uint8Array): unknown {
  const type = root.lookupType('etcdserverpb.RangeRequest')
  return type.toObject(type.decode(bytes), { longs: String, enums: String, bytes: String })
}

/** A field of this name is a key, in every message that has one. */
const KEY = 'key'

function rangesIn(type: protobuf.Type, bytes: Uint8Array): readonly AskedRange[] {
  const fields = fieldsIn(type, bytes)
  const value = (name: string): Buffer | undefined => fields.findLast(({ field }) => field.name === name)?.bytes
  const within = fields.flatMap(({ field, bytes: part }) =>
    field.resolvedType instanceof protobuf.Type ? rangesIn(field.resolvedType, part) : [],
  )
  if (type.fields[KEY] === undefined) return within
  return [...within, { of: type.name, key: value(KEY) ?? Buffer.of(), end: value('range_end') }]
}

interface SentField {
  readonly field: protobuf.Field
  readonly bytes: Buffer
}

/** The fields with bytes in them that stand in a message, by what is on the wire and not by what a decoder makes of it. */
function fieldsIn(type: protobuf.Type, bytes: Uint8Array): readonly SentField[] {
  const reader = protobuf.Reader.create(bytes)
  const found: SentField[] = []
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    const field = type.fieldsById[tag >>> 3]?.resolve()
    if (field === undefined) throw new Error(`${type.name} has no field ${tag >>> 3}`)
    if ((tag & 7) === LENGTH_DELIMITED) found.push({ field, bytes: Buffer.from(reader.bytes()) })
    else reader.skipType(tag & 7)
  }
  return found
}

/** Wire type of bytes, texts and messages (protobuf: encoding). */
const LENGTH_DELIMITED = 2
