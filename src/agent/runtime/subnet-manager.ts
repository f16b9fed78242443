import type { ConfigError } from '../../config/error.ts'
import type { NetworkConfig } from '../../config/network.ts'
import type { Lease, NodeIdentity, PeerRecord, Revision } from '../../lease/lease.ts'
import type { LeaseTerms } from '../../lease/terms.ts'
import type { Family, Ip } from '../../net/ip.ts'
import type { Task } from './task.ts'

/**
 * Port: whoever gives this node its subnet, tells it of its peers, and keeps the network configuration. etcd is one (etcd/subnets); the
 * Kubernetes API, as upstream's `--kube-subnet-mgr` has it, is another (kube/subnets), and each operation says how it is met there: a
 * node's subnet is the `podCIDR` of its Node object, its claim that object's annotations (`flannel.alpha.coreos.com/…`), its peers are
 * the other Nodes, and the configuration is a file. The agent knows neither.
 */
export interface SubnetManager {
  /** Whom it asks, in words: `etcd`. Kubernetes: `the Kubernetes API`. */
  readonly store: string
  /** Whether subnets are leased out of the configured range by the nodes. Kubernetes: no; how many are left is not ours to know. */
  readonly leasesSubnets: boolean
  readonly configuration: ConfigurationSource
  readonly endpoints: Endpoints

  /** What it does for as long as the agent runs, whether a subnet is held or not. Kubernetes: it looks up where the API server is. */
  readonly tasks: readonly Task[]

  /** Learns what is worth knowing before the first question, such as addresses behind names. Takes a few seconds at most, and never fails. */
  prepare(signal: AbortSignal): Promise<void>

  /**
   * Gets this node its subnets, publishes what the terms say of it, and makes a complete list of the peers. Errors are curable:
   * the caller looks at everything again and asks anew.
   *
   * Kubernetes: the subnets are given, by whoever assigns `podCIDR`s; while the Node or its `podCIDRs` are missing, or lie outside the
   * configured network, that is the error (of the terms, `traceOf` and `ttlSeconds` have no say, and nobody is asked for
   * proof of life). Then the annotations are patched, as far as they do not say so already, and the Nodes are listed. There is
   * no compare-and-set, and none is needed: nobody else has a claim to them.
   * @throws {OtherAddressError} where the terms leave our address open, and what stands there says another (Kubernetes: the annotations)
   * @throws {ConfigError | StoreError | OutOfSubnetsError | RivalError | CloneError | LeaseContentionError}
   */
  acquire(terms: LeaseTerms, signal: AbortSignal): Promise<AcquiredSubnet>

  /**
   * What a peer said at an earlier revision, as one of those in {@link PeerRecord}: it tells whose claim is older where two want the same.
   * Asked seldom. Kubernetes: always `forgotten`; earlier versions of an object cannot be read for long.
   * @returns undefined: there was no such peer; `forgotten`: nobody knows any more
   * @throws {StoreError}
   */
  saidAt(key: string, revision: Revision, signal: AbortSignal): Promise<PeerRecord | undefined | 'forgotten'>

  /** Our own address has changed: connections made with the old one are dead, though nothing says so. New ones are made. */
  refreshConnections(): void
}

/**
 * Where the network configuration is. Kubernetes: a file (`net-conf.json` of a ConfigMap that is mounted), which the kubelet exchanges
 * as a whole when the ConfigMap changes.
 */
export interface ConfigurationSource {
  /** In words for the log, such as `/coreos.com/network/config`. */
  readonly name: string
  /** As it stands there; undefined: there is none yet. @throws {StoreError} */
  read(signal: AbortSignal): Promise<string | undefined>
  /**
   * As it stands there now, then after every change, for as long as it takes: the last word always comes. What follows quickly may be left
   * out, and the same may come twice. Ends when `signal` aborts, or with the manager. Nothing is ever written.
   */
  watch(signal: AbortSignal): AsyncIterable<string | undefined>
  /** What is wrong where there is none: what this manager reads, and what others often take for it. */
  missing(): ConfigError
  /**
   * What of a valid configuration this manager cannot serve. etcd: a lease is named for its IPv4 subnet. Kubernetes: a family in which
   * Nodes are given no `podCIDR` shows only when one is acquired.
   * @throws {ConfigError}
   */
  check(config: NetworkConfig): void
}

/**
 * The addresses at which the manager is asked. They must stay reachable over the underlay: no subnet, ours or a peer's, may cover them.
 * Kubernetes: those in the URL of the API server; in a pod that is its service address, behind which there are others.
 */
export interface Endpoints {
  /** As far as they are known. */
  readonly all: readonly Ip[]
  /** @param listener called when an address has come or gone; must not throw @returns ends the subscription */
  subscribe(listener: () => void): () => void
}

export interface AcquiredSubnet {
  /** What we now hold, as it stands there. Kubernetes: its key is written for the `podCIDRs`, since that is what the log names a lease by. */
  readonly lease: Lease
  /** Who holds it: we as the terms have it, or as {@link LeaseTerms.copy} has it. Kubernetes: the Node is who we are, whatever machine has its name. */
  readonly node: NodeIdentity
  /** How we came by it. Kubernetes: `kept`, or `updated` where annotations had to be patched. */
  readonly how: 'kept' | 'updated' | 'taken over' | 'created'
  /** What the operator should read, in words. */
  readonly warnings: readonly string[]
  /**
   * All other nodes, complete: rows of the kernel may be pruned once these are taken in, and never before. There is no acquiring without
   * such a list. Kubernetes: a Node that has no `podCIDR` or no annotations of ours yet is no peer yet, and left out; in a mixed cluster
   * those of upstream's agents say the same with the same annotations. To be called once: tens of thousands are kept by nobody.
   */
  takePeers(): readonly PeerRecord[]
  /** How many that are. */
  readonly peerCount: number
  /** What is to be done for as long as it is ours. Called once; nothing begins before the tasks of it are run. */
  hold(holding: Holding): HeldSubnet
}

/** What whoever holds a subnet has to say. */
export interface Holding {
  /** Our terms at the beginning. */
  readonly terms: LeaseTerms
  /** Has taken in {@link AcquiredSubnet.takePeers} already. */
  readonly peers: PeerListener
  /** Whether the overlay forwards, for the log. */
  readonly isForwarding: () => boolean
}

export interface HeldSubnet {
  /**
   * Hold the subnet, and follow the peers. One of them ends when the subnet is lost, and none otherwise before its signal aborts.
   * Kubernetes: a watch of the Nodes, and a keeper of our own. There is nothing to renew; annotations of ours that somebody changes or takes away are
   * patched again, ever more slowly while that goes on.
   */
  readonly tasks: readonly Task[]
  /**
   * Why it is ours no more; undefined: it is. Kubernetes: our Node was made anew with other `podCIDRs`: a Node's are never
   * changed. One that is gone is waited for, and an outage loses nothing.
   */
  readonly lost: string | undefined
  /**
   * When it ends if nobody renews it, and when it was renewed last, on the monotonic clock; undefined each: it does not end. Undefined: at
   * this moment it is not published. Kubernetes: it does not end; without a Node it is not published.
   */
  readonly life: { readonly renewedAtMs: number | undefined; readonly expiresAtMs: number | undefined } | undefined
  /** Addresses that are published in the place of ours, by family, at the operator's wish. Kubernetes: `public-ip-overwrite`. etcd: none. */
  readonly overwrites: ReadonlyMap<Family, Ip>
  /** What we say of ourselves is to be this from now on: written as soon as may be, and put right when somebody changes it. */
  publish(terms: LeaseTerms): void
}

/**
 * Hears who the other nodes are; our own never is among them. A manager tells what it sees as it sees it, and says nothing while it
 * cannot be reached. How long to keep whom it lost is the listener's business: it protects every manager's peers alike.
 */
export interface PeerListener {
  /**
   * A complete list, in the place of all that was said before. Kubernetes: a list after `410 Gone`.
   * @returns settles once it is taken in; undefined: it is. What is said meanwhile counts after it
   */
  onList(list: PeerList): Promise<void> | undefined
  /** What has changed at once. Kubernetes: one event of the watch, an `ADDED` or `MODIFIED` being a put. */
  onChanges(changes: PeerChanges): void
}

export interface PeerList {
  readonly records: readonly PeerRecord[]
  /** Our own was missing, although we live. */
  readonly isOwnMissing: boolean
  /** Not of the store, or not of the history, that was spoken of before. Kubernetes: its position is behind ours. */
  readonly wasReset: boolean
}

export interface PeerChanges {
  readonly deltas: readonly PeerDelta[]
  /** Our own was deleted with them, although we live. */
  readonly isOwnGone: boolean
}

export type PeerDelta =
  { readonly kind: 'put'; readonly record: PeerRecord } | { readonly kind: 'deleted'; readonly key: string }
