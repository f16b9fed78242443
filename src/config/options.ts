import type { Family, Ip } from '../net/ip.ts'

/** How to reach etcd. */
export interface EtcdAccess {
  /** URLs, tried in turn. */
  readonly endpoints: readonly string[]
  /** Without a trailing slash. */
  readonly prefix: string
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  readonly caFile: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
}

/** Everything `flanneld` was told on its command line and in its environment, checked. */
export interface DaemonOptions {
  readonly etcd: EtcdAccess
  /** Names or addresses; empty: the interface of the default route. */
  readonly ifaces: readonly string[]
  /** Addresses to publish instead of the interface's own, by family. */
  readonly publicIps: ReadonlyMap<Family, Ip>
  readonly subnetFile: string
  /** Renewal of the lease, at the latest this long before it expires, in milliseconds. */
  readonly renewMarginMs: number
  /** How long peers are kept whose leases a fault of the store has taken, in milliseconds; 0: not at all. */
  readonly stalePeerGraceMs: number
  /** Identity of the node instead of the one derived from its machine id. */
  readonly nodeId: string | undefined
  readonly verbosity: number
}
