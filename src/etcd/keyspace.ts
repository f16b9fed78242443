import { posix } from 'node:path'

import type { IKeyValue } from 'etcd3'

import type { LeaseRecord } from '../lease/store.ts'

/** A half-open range of keys, as etcd asks for it. */
export interface KeyRange {
  readonly key: Buffer
  readonly range_end: Buffer
}

/** Where flannel keeps what under its prefix. */
export class Keyspace {
  readonly config: Buffer
  /** Every lease. */
  readonly subnets: KeyRange
  private readonly directory: Buffer

  /** @param prefix such as `/coreos.com/network`; further slashes are no difference, as upstream has it */
  constructor(prefix: string) {
    const base = posix.join(prefix, '.').replace(/\/$/, '')
    this.config = Buffer.from(`${base}/config`)
    this.directory = Buffer.from(`${base}/subnets/`)
    // '0' is the character after '/': the end of everything below the directory
    this.subnets = { key: this.directory, range_end: Buffer.from(`${base}/subnets0`) }
  }

  /** The full key of a lease. */
  leaseKey(name: string): Buffer {
    return Buffer.concat([this.directory, Buffer.from(name)])
  }

  /** The name below `PREFIX/subnets/`. */
  leaseName(key: Buffer): string {
    return key.subarray(this.directory.length).toString()
  }

  record(kv: IKeyValue): LeaseRecord {
    return {
      key: this.leaseName(kv.key),
      value: kv.value.toString(),
      etcdLeaseId: kv.lease,
      createRevision: BigInt(kv.create_revision),
      modRevision: BigInt(kv.mod_revision),
    }
  }
}
