/*
 * lease says what a lease is, how a node comes by one (`acquireLease`), and how it keeps it (`LeaseKeeper`): the same whatever backend
 * it is for. It is handed a store of leases (the ports `LeaseStore` and `Challenges`), a clock and chance; it never looks at the host.
 * `etcd/subnets` calls it for the agent, `cleanup` to give a lease back, and backends read leases with it.
 */
import type { Family, Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'

/** An etcd revision; etcd counts in 64 bits. */
export type Revision = bigint

/** Identity of an etcd lease, as decimal text of its 64 bits; `'0'` is "none": the key is a reservation. */
export type EtcdLeaseId = string
export const NO_ETCD_LEASE: EtcdLeaseId = '0'

/** Who wrote a lease. Ours alone: upstream neither writes nor reads it. */
export interface NodeIdentity {
  readonly id: string
  readonly hostname: string
}

/** BackendData of vxlan that needs no further reading: the VNI, if there is one, has 24 bits. With the names that are published. */
export class PlainVtepData {
  readonly VNI: number | undefined
  readonly VtepMAC: Mac

  constructor(vni: number | undefined, mac: Mac) {
    this.VNI = vni
    this.VtepMAC = mac
  }
}

/** What a lease says for one address family. */
export interface LeaseFamily {
  readonly family: Family
  readonly subnet: Prefix
  /** Underlay address of the node's tunnel end point. */
  readonly publicIp: Ip
  /** Whatever the backend published (vxlan: VNI and VtepMAC); its own codec reads it. */
  readonly backendData: unknown
}

/** A node's claim to its container subnet(s): the decoded value of one etcd key. */
export interface LeaseClaim {
  /** Empty: the lease names none. */
  readonly backendType: string
  /** One or two, IPv4 before IPv6. */
  readonly families: readonly LeaseFamily[]
  readonly node?: NodeIdentity | undefined
  /** Subnets that this node has given up, the newest first, to be written with the claim: it takes one again where it fits and is free. */
  readonly earlier?: readonly Prefix[] | undefined
}

/** Where a claim is published, and since when. */
interface Published {
  /** Its subnets, such as `10.15.64.0-20`; in etcd the name below `PREFIX/subnets/`. */
  readonly key: string
  /** Orders leases by age. */
  readonly createRevision: Revision
  readonly modRevision: Revision
}

/** A claim as it is published. */
export interface Lease extends LeaseClaim, Published {}

/** What a node has published, not yet believed: decoding and rejecting is `lease/codec.ts`' business. */
export interface PeerRecord extends Published {
  /** The claim but for its subnets, as `lease/codec.ts` reads it. */
  readonly value: string
}

export const leaseFamily = (lease: LeaseClaim, family: Family): LeaseFamily | undefined =>
  lease.families.find((part) => part.family === family)

/** When a key ends, if nobody renews it. A reservation is never renewed, and does not end. */
export interface LeaseLife {
  readonly renewedAtMs: number | undefined
  readonly expiresAtMs: number | undefined
}
