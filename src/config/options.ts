import type { Family, Ip } from '../net/ip.ts'

/** A regular expression as it was written, and whether it fits somewhere in a text; a `RegExp` is one. */
export type TextPattern = Pick<RegExp, 'source' | 'test'>

/** What stands behind an endpoint and means nothing to us, such as `/v2`, and the whole as it was written. */
export interface IgnoredPath {
  readonly path: string
  readonly endpoint: string
}

/** How to reach etcd, as the `etcd-*` flags of the daemon say it. */
export interface EtcdAccess {
  /** URLs such as `http://127.0.0.1:2379`, tried in turn; without a scheme, http. */
  readonly endpoints: readonly string[]
  /** What was written behind one of them and is not used; undefined: nothing. */
  readonly ignoredPaths?: readonly IgnoredPath[] | undefined
  /** Such as `/coreos.com/network`, without a trailing slash. */
  readonly prefix: string
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  /** Certificates to trust instead of the system's. */
  readonly caFile?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** How to reach the API server of Kubernetes, and which Node there is ours, as flags and variables say it. */
export interface KubeAccess {
  /** Undefined: what a service account has in a pod. */
  readonly kubeconfigFile?: string | undefined
  /** Such as `https://10.0.0.1:6443`, instead of what the kubeconfig file or the pod says. */
  readonly apiUrl?: string | undefined
  /** Stands before the names of our annotations, and ends in `/` or `-`: `flannel.alpha.coreos.com/`. */
  readonly annotationPrefix: string
  /** NODE_NAME; undefined: the pod says it. */
  readonly nodeName?: string | undefined
  /** POD_NAME in POD_NAMESPACE: asked for the Node that it runs on where `nodeName` is not given. */
  readonly pod?: { readonly name: string; readonly namespace: string } | undefined
  /** The file with the network configuration, as JSON. */
  readonly netConfigPath: string
  /** Whether the condition NetworkUnavailable of our Node is set to False (`--set-node-network-unavailable`). */
  readonly setsNetworkAvailable: boolean
}

/** Everything `flanneld` was told on its command line and in its environment, checked. */
export interface DaemonOptions {
  readonly etcd: EtcdAccess
  /** The API server of Kubernetes, which is asked instead of etcd (`--kube-subnet-mgr`); undefined: etcd. */
  readonly kube?: KubeAccess | undefined
  /** Names or addresses of underlay interfaces, in order of preference. */
  readonly ifaces: readonly string[]
  /** Matched against names and addresses of interfaces, in order, when none of `ifaces` fits. */
  readonly ifaceRegexes: readonly TextPattern[]
  /** Without either: the interface through which the kernel reaches this address; undefined: that of the default route. */
  readonly ifaceCanReach: Ip | undefined
  /** Addresses to publish instead of the interface's own. */
  readonly publicIps: ReadonlyMap<Family, Ip>
  /** Whether to masquerade what leaves the overlay. */
  readonly ipMasq: boolean
  /** Whether masquerading chooses source ports at random. */
  readonly ipMasqRandomFully: boolean
  /** Whether addresses of our subnet that no container has lead nowhere. */
  readonly ipBlackholeRoute: boolean
  /** Whether to accept forwarded packets of the overlay in the firewall. */
  readonly forwardRules: boolean
  /** Time between two looks at the firewall rules, in milliseconds. */
  readonly firewallResyncMs: number
  /** Whether VXLAN packets are taken from holders of leases only. */
  readonly peerFilter: boolean
  /** Whether peers are asked over the overlay whether packets arrive. */
  readonly peerProbes: boolean
  /** Where to serve /healthz and /readyz; undefined: nowhere. */
  readonly healthz: { readonly ip: Ip; readonly port: number } | undefined
  /** Where whoever may read files of root asks how we are; undefined: nowhere. */
  readonly statusSocket?: string | undefined
  /** Whether the health port answers what that socket does, as far as it changes nothing. */
  readonly healthzStatus?: boolean
  /** Whether it serves the page as well, which asks for that. */
  readonly healthzPage?: boolean
  /** Flags that are not at their default, by name, as they were given; without secrets. */
  readonly given?: Readonly<Record<string, string>>
  readonly subnetFile: string
  /** Renewal of the lease, at the latest this long before it expires, in milliseconds. */
  readonly renewMarginMs: number
  /** How long peers are kept whose leases a fault of the store has taken, in milliseconds; 0: not at all. */
  readonly stalePeerGraceMs: number
  /** Identity of the node instead of the one derived from its machine id. */
  readonly nodeId: string | undefined
  readonly verbosity: number
  readonly logFormat: 'text' | 'json'
}
