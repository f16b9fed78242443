import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { posix } from 'node:path'

import { LONGEST_VALUE } from '../../lease/codec.ts'
import { NO_ETCD_LEASE } from '../../lease/lease.ts'
import type { WireKey } from '../wire/messages.ts'
import type { KeyRecord } from './key.ts'

/** The most bytes that a text of so many UTF-16 units takes: three for each (RFC 3629 §3). */
const bytesOf = (units: number): number => 3 * units

/** Names longer than this in bytes are no lease's, and are known by their digest: a name can have as many bytes as a value. */
const LONGEST_NAME = 1_024
/** How much of a longer one is shown, in bytes. */
const SHOWN_OF_LONG_NAME = 64

/** A range of keys, as etcd asks for it: half open, or a single key. */
export interface KeyRange {
  readonly key: Buffer
  /** The first key behind the range. A single key has none: an empty one means "all there is from here on" to etcd. */
  readonly range_end?: Buffer
}

/** Whether a key lies in a range. @param start where it begins in these octets @param stop where it ends */
export const isWithin = ({ key, range_end }: KeyRange, bytes: Buffer, start = 0, stop = bytes.length): boolean =>
  range_end === undefined
    ? order(bytes, start, stop, key, 0, key.length) === 0
    : order(bytes, start, stop, key, 0, key.length) >= 0 &&
      order(bytes, start, stop, range_end, 0, range_end.length) < 0

/**
 * Which of two keys comes first, as etcd has them in order: below 0 that of `a`, above 0 that of `b`. For each of tens of thousands, so that Node
 * is not called, which looks at its arguments for longer than at the keys.
 */
export function order(a: Buffer, aAt: number, aStop: number, b: Buffer, bAt: number, bStop: number): number {
  for (; aAt < aStop && bAt < bStop; aAt++, bAt++) {
    const difference = (a[aAt] ?? 0) - (b[bAt] ?? 0)
    if (difference !== 0) return difference
  }
  return aStop - aAt - (bStop - bAt)
}

/** The configuration's key below the prefix. */
export const CONFIG = 'config'

/** One directory below flannel's prefix, and the configuration beside it. */
export class Keyspace {
  readonly config: Buffer
  /** Everything in the directory. */
  readonly range: KeyRange
  readonly #base: string
  readonly #directory: Buffer
  readonly #longestValue: number
  /** Stands in the place of every value that is too long, and is itself: a thousand of them take the memory of one. */
  readonly #tooLong: string

  private constructor(base: string, directory: string, longestValue = LONGEST_VALUE, range?: KeyRange) {
    this.config = Buffer.from(`${base}/${CONFIG}`)
    this.#base = base
    this.#directory = Buffer.from(`${base}/${directory}`)
    // '0' is the character after '/': the end of everything below the directory
    this.range = range ?? { key: this.#directory, range_end: Buffer.from(`${base}/${directory.slice(0, -1)}0`) }
    this.#longestValue = longestValue
    this.#tooLong = ' '.repeat(longestValue + 1)
  }

  /**
   * The leases, below `PREFIX/subnets/`.
   * @param prefix such as `/coreos.com/network`; further slashes are no difference, as upstream has it
   */
  static leases(prefix: string): Keyspace {
    return new Keyspace(posix.join(prefix, '.').replace(/\/$/, ''), 'subnets/')
  }

  /** The challenges to one lease, below `PREFIX/challenges/`. */
  challengesTo(leaseKey: string): Keyspace {
    return new Keyspace(this.#base, `challenges/${leaseKey}/`)
  }

  /** The challenges to all leases. */
  get challenges(): Keyspace {
    return new Keyspace(this.#base, 'challenges/')
  }

  /**
   * The configuration alone, as if it were the only key of a directory: the right to read just that is enough.
   * @param longest of its values that is taken, in UTF-16 units
   */
  configuration(longest: number): Keyspace {
    return new Keyspace(this.#base, '', longest, { key: this.config })
  }

  /** Names from one up to another, as a range of keys. */
  rangeOf(from: string, to: string): KeyRange {
    return { key: this.keyOf(from), range_end: this.keyOf(to) }
  }

  /** The full key of a name in the directory. */
  keyOf(name: string): Buffer {
    return Buffer.concat([this.#directory, unescaped(name)])
  }

  /**
   * The name below the directory, another one for every key: {@link keyOf} is the way back. Keys are bytes; those that are no UTF-8
   * have those bytes written as `\xHH`, as every key has its backslashes. A name of more than 1 KiB is cut, with its digest behind it,
   * and there is no way back.
   * @param start where the key begins in these octets
   * @param stop where it ends
   */
  nameOf(bytes: Buffer, start = 0, stop = bytes.length): string {
    const from = Math.min(start + this.#directory.length, stop)
    const text = stop - from > LONGEST_NAME ? '' : bytes.toString('latin1', from, stop)
    if (PLAIN.test(text)) return text
    const name = bytes.subarray(from, stop)
    return name.length > LONGEST_NAME ? digested(name) : written(name)
  }

  record(kv: WireKey): KeyRecord {
    const { bytes, lease, createRevision, modRevision } = kv
    return {
      key: this.nameOf(bytes, kv.keyStart, kv.keyStop),
      value: this.#valueIn(kv),
      etcdLeaseId: lease === 0n ? NO_ETCD_LEASE : String(lease),
      createRevision,
      modRevision,
    }
  }

  /** The same, of a key whose value did not come, for its length. */
  withoutValue(record: KeyRecord): KeyRecord {
    return { ...record, value: this.#tooLong }
  }

  /** etcd takes values of 1.5 MB, and anybody who may write one may write a thousand: of those that are too long, nothing is kept. */
  #valueIn({ bytes, valueStart, valueStop }: WireKey): string {
    if (valueStop - valueStart > bytesOf(this.#longestValue)) return this.#tooLong
    const text = bytes.toString('utf8', valueStart, valueStop)
    return text.length > this.#longestValue ? this.#tooLong : text
  }
}

/** ASCII without a backslash, which is written as it is. */
const PLAIN = /^[ -[\]-~]+$/

const BACKSLASH = 0x5c

const escaped = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`

function written(name: Buffer): string {
  if (isUtf8(name)) return name.toString().replaceAll('\\', '\\x5c')
  const characters = Array.from(name, (byte) =>
    byte < 0x80 && byte !== BACKSLASH ? String.fromCharCode(byte) : escaped(byte),
  )
  return characters.join('')
}

/** No written name has `\…` in it. */
const digested = (name: Buffer): string =>
  `${written(name.subarray(0, SHOWN_OF_LONG_NAME))}\\…${createHash('sha256').update(name).digest('hex')}`

/** Every second piece is the two digits behind a `\x`. */
const unescaped = (name: string): Buffer =>
  Buffer.concat(name.split(/\\x([0-9a-f]{2})/).map((piece, at) => Buffer.from(piece, at % 2 === 1 ? 'hex' : 'utf8')))
