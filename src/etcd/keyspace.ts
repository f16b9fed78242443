import { posix } from 'node:path'

import type { IKeyValue } from 'etcd3'

import type { LeaseRecord } from '../lease/store.ts'

/** A half-open range of keys, as etcd asks for it. */
export interface KeyRange {
  readonly key: Buffer
  readonly range_end: Buffer
}

/** One directory below flannel's prefix, and the configuration beside it. */
export class Keyspace {
  readonly config: Buffer
  /** Everything in the directory. */
  readonly range: KeyRange
  readonly #base: string
  readonly #directory: Buffer

  private constructor(base: string, directory: string) {
    this.config = Buffer.from(`${base}/config`)
    this.#base = base
    this.#directory = Buffer.from(`${base}/${directory}/`)
    // '0' is the character after '/': the end of everything below the directory
    this.range = { key: this.#directory, range_end: Buffer.from(`${base}/${directory}0`) }
  }

  /**
   * The leases, below `PREFIX/subnets/`.
   * @param prefix such as `/coreos.com/network`; further slashes are no difference, as upstream has it
   */
  static leases(prefix: string): Keyspace {
    return new Keyspace(posix.join(prefix, '.').replace(/\/$/, ''), 'subnets')
  }

  /** The challenges to one lease, below `PREFIX/challenges/`. */
  challengesTo(leaseKey: string): Keyspace {
    return new Keyspace(this.#base, `challenges/${leaseKey}`)
  }

  /** The full key of a name in the directory. */
  keyOf(name: string): Buffer {
    return Buffer.concat([this.#directory, Buffer.from(name)])
  }

  /** The name below the directory. */
  nameOf(key: Buffer): string {
    return key.subarray(this.#directory.length).toString()
  }

  record(kv: IKeyValue): LeaseRecord {
    return {
      key: this.nameOf(kv.key),
      value: kv.value.toString(),
      etcdLeaseId: kv.lease,
      createRevision: BigInt(kv.create_revision),
      modRevision: BigInt(kv.mod_revision),
    }
  }
}
