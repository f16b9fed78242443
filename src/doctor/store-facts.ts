import type { FaultStatus } from '../status/document.ts'

/** How the daemon reaches etcd, as far as it may be shown. */
export interface StoreAccess {
  /** URLs, in one spelling. */
  readonly endpoints: readonly string[]
  /** Such as `/coreos.com/network`. */
  readonly prefix: string
  readonly user: string | undefined
  readonly caFile: string | undefined
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  /** Where the flags were found, in words: `the flanneld that runs here (pid 812)`. */
  readonly from: string
  /** Nobody has said where etcd is: the endpoint is the default. */
  readonly isDefault: boolean
}

/** A certificate that etcd is met with, or that it has shown. */
export interface SeenCertificate {
  /** Which, in words: `the certificate in --etcd-certfile`. */
  readonly what: string
  readonly fromMs: number
  readonly toMs: number
}

/** What is known of the certificates and keys in files. */
export interface CertificateFacts {
  /** What is the matter with the files, naming the flag; undefined: nothing. */
  readonly problem: string | undefined
  readonly seen: readonly SeenCertificate[]
}

/** The clock of whoever answers at an endpoint (RFC 9110 §6.6.1, in whole seconds), beside ours. */
export interface ClockFact {
  readonly url: string
  readonly theirsMs: number
  readonly oursMs: number
}

/** What asking etcd came to, with the daemon's flags and nobody's help. What was not got as far as is undefined. */
export interface StoreFacts {
  /** Why the flags cannot be used at all, such as a certificate that is none. */
  readonly refused: { readonly flag: string; readonly says: string } | undefined
  /** Why configuration and leases cannot be read. */
  readonly reading: FaultStatus | undefined
  /** Why nothing could be written below the prefix; found by a transaction whose condition never holds. */
  readonly writing: readonly FaultStatus[]
  /** The value of PREFIX/config; null: there is no such key. */
  readonly configuration: string | null | undefined
  /** Why that value is no configuration. */
  readonly invalid: FaultStatus | undefined
  /** Where there is no such key: those that look as if they were meant, by API v3 and by v2. */
  readonly elsewhere: readonly string[]
  readonly elsewhereV2: readonly string[]
  /** How many leases there are, and the room for them in IPv4. */
  readonly leases: { readonly held: number; readonly room: number } | undefined
  /** Of this node, by its id: keys of its leases. */
  readonly own: readonly string[] | undefined
  /** Keys of all leases, behind `PREFIX/subnets/`. */
  readonly keys: readonly string[] | undefined
  readonly certificates: CertificateFacts
  readonly clock: ClockFact | undefined
}

export interface StoreReads {
  /** Text: why the flags make no sense, naming the one. */
  readonly access: StoreAccess | string
  /** Asks when it is first called, and once. Rejects only when it was stopped. */
  readonly ask: () => Promise<StoreFacts>
}
