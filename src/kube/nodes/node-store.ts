/*
 * kube/nodes says what this program wants to know of the Nodes of a Kubernetes cluster, and the port by which it is known: `NodeStore`.
 * `kube` implements it over HTTP; kube/subnets makes a subnet manager of it, and runs on a store in memory as well.
 */
import type { WatchStatus } from '../../lease/store.ts'

/** Names of our annotations, without their prefix: upstream's. */
export const ANNOTATIONS = [
  'kube-subnet-manager',
  'backend-type',
  'backend-data',
  'backend-v6-data',
  'public-ip',
  'public-ipv6',
  'public-ip-overwrite',
  'public-ipv6-overwrite',
  'node-public-ip',
  'node-public-ipv6',
] as const
export type AnnotationName = (typeof ANNOTATIONS)[number]

/** Of our annotations those that there are. */
export type Annotations = Readonly<Partial<Record<AnnotationName, string>>>

/** What is read of a Node; nothing else of it is kept. Not yet believed. */
export interface NodeRecord {
  readonly name: string
  /** Another one for a Node that was deleted and made again. */
  readonly uid: string
  /** When it was made, in milliseconds since 1970; 0: it does not say. */
  readonly createdMs: number
  /** Opaque, but a decimal number with every API server there is. */
  readonly resourceVersion: string
  /** `spec.podCIDRs`, else `spec.podCIDR` alone. */
  readonly podCidrs: readonly string[]
  readonly annotations: Annotations
}

/** One Node that was asked for alone. */
export interface OneNode extends NodeRecord {
  /** Whether its condition NetworkUnavailable is False for our reason. */
  readonly isNetworkAvailable: boolean
  /** On which boot of a machine its kubelet runs (random(4), boot_id); undefined: none has said yet. */
  readonly bootId: string | undefined
}

/** All Nodes of one moment. */
export interface NodeList {
  readonly nodes: readonly NodeRecord[]
  readonly resourceVersion: string
}

export type NodeChange =
  { readonly kind: 'put'; readonly node: NodeRecord } | { readonly kind: 'deleted'; readonly node: NodeRecord }

export type NodeWatchEvent =
  /** In the order in which they came about. */
  | { readonly kind: 'changes'; readonly changes: readonly NodeChange[] }
  /** The history that we would have to go on from is gone, or is another one (`wasReset`): list again. The stream ends after this. */
  | { readonly kind: 'expired'; readonly reason: string; readonly wasReset: boolean }

/** What is to be written on a Node. */
export interface NodePatch {
  /** Null: it goes. Those that are not named stay as they are. */
  readonly annotations?: Readonly<Partial<Record<AnnotationName, string | null>>>
  /** Sets condition NetworkUnavailable to False, as of this time, in milliseconds since 1970. */
  readonly networkAvailableSinceMs?: number
}

/**
 * Port: where Nodes live. All calls reject with {@link StoreError} (`lease/store.ts`), and never hang: each has a deadline of its own besides
 * `signal`. A Node is nobody's but its kubelet's: we write annotations and one condition, and compare nothing.
 */
export interface NodeStore {
  /** URL of the API server, as it was given. */
  readonly url: string

  /** All Nodes, read in pages. */
  list(signal: AbortSignal): Promise<NodeList>

  /** Undefined: there is no such Node. */
  read(name: string, signal: AbortSignal): Promise<OneNode | undefined>

  /**
   * Changes after a list, over reconnects for as long as it takes: of each Node, the last word always comes. Ends when `signal` aborts, and
   * after `expired`. A watch that has gone silent is found within a minute.
   */
  watch(resourceVersion: string, signal: AbortSignal, status?: WatchStatus): AsyncIterable<NodeWatchEvent>

  /** @returns the Node as it is then; undefined: there is no such Node */
  patch(name: string, patch: NodePatch, signal: AbortSignal): Promise<OneNode | undefined>

  /** Name of the Node on which a pod runs; undefined: there is no such pod, or it is nowhere yet. */
  nodeOfPod(namespace: string, name: string, signal: AbortSignal): Promise<string | undefined>

  /** Our own address has changed: connections made with the old one are dead, though nothing says so. New ones are made. */
  refreshConnections(): void

  close(): void
}
