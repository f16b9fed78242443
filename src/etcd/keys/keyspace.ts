import { isUtf8 } from 'node:buffer'
import { posix } from 'node:path'

import type { IKeyValue } from 'etcd3'

import { LONGEST_VALUE } from '../../lease/codec.ts'
import type { KeyRecord } from './key.ts'

/**
 * Of a longer value, nothing more is kept than shows that it is too long: a character of UTF-16 takes three bytes of UTF-8 at most.
 * etcd takes values of 1.5 MB, and anybody who may write one may write a thousand.
 */
const MOST_VALUE_BYTES = 3 * (LONGEST_VALUE + 1)

/** A half-open range of keys, as etcd asks for it. */
export interface KeyRange {
  readonly key: Buffer
  readonly range_end: Buffer
}

/** The configuration's key below the prefix. */
const CONFIG = 'config'

/** One directory below flannel's prefix, and the configuration beside it. */
export class Keyspace {
  readonly config: Buffer
  /** Everything in the directory. */
  readonly range: KeyRange
  readonly #base: string
  readonly #directory: Buffer
  readonly #mostValueBytes: number

  private constructor(base: string, directory: string, range?: KeyRange) {
    this.config = Buffer.from(`${base}/${CONFIG}`)
    this.#base = base
    this.#directory = Buffer.from(`${base}/${directory}`)
    // '0' is the character after '/': the end of everything below the directory
    this.range = range ?? { key: this.#directory, range_end: Buffer.from(`${base}/${directory.slice(0, -1)}0`) }
    this.#mostValueBytes = range === undefined ? MOST_VALUE_BYTES : Infinity
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

  /** The configuration alone, as if it were the only key of a directory. */
  get configuration(): Keyspace {
    // without an end: a single key, so that the right to read just that is enough
    return new Keyspace(this.#base, '', { key: this.config, range_end: Buffer.alloc(0) })
  }

  /** The full key of a name in the directory. */
  keyOf(name: string): Buffer {
    return Buffer.concat([this.#directory, unescaped(name)])
  }

  /**
   * The name below the directory, another one for every key: {@link keyOf} is the way back. Keys are bytes; those that are no UTF-8
   * have those bytes written as `\xHH`, as every key has its backslashes.
   */
  nameOf(key: Buffer): string {
    const name = key.subarray(this.#directory.length)
    return isUtf8(name)
      ? name.toString().replaceAll('\\', '\\x5c')
      : Array.from(name, (byte) =>
          byte < 0x80 && byte !== BACKSLASH ? String.fromCharCode(byte) : escaped(byte),
        ).join('')
  }

  record(kv: IKeyValue): KeyRecord {
    return {
      key: this.nameOf(kv.key),
      value: kv.value.subarray(0, this.#mostValueBytes).toString(),
      etcdLeaseId: kv.lease,
      createRevision: BigInt(kv.create_revision),
      modRevision: BigInt(kv.mod_revision),
    }
  }
}

const BACKSLASH = 0x5c

const escaped = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`

/** Every second piece is the two digits behind a `\x`. */
const unescaped = (name: string): Buffer =>
  Buffer.concat(name.split(/\\x([0-9a-f]{2})/).map((piece, at) => Buffer.from(piece, at % 2 === 1 ? 'hex' : 'utf8')))
