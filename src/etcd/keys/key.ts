/*
 * etcd/keys lists, watches and writes the keys of one directory in etcd, whatever they hold: leases, challenges, the configuration.
 * It is handed a `Caller`, which knows addresses, connections and deadlines, a `Keyspace`, which is the directory, and a clock.
 * `EtcdLeaseStore` and what listens for the configuration and for challenges call it; nobody else does.
 */
import type { LeaseDelta, LeaseList, LeaseRecord, LeaseWatchEvent } from '../../lease/store.ts'

/** One key as etcd holds it, `key` being its name in the directory. The port has it of leases only, and calls it theirs. */
export type KeyRecord = LeaseRecord

export type KeyDelta = LeaseDelta

export type KeyWatchEvent = LeaseWatchEvent

/** All keys of a directory as they stood at one revision. */
export type KeyList = LeaseList
