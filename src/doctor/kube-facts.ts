import type { Prefix } from '../net/prefix.ts'
import type { FaultStatus } from '../status/document.ts'

/** What asking the API server of Kubernetes came to, with the daemon's flags and nobody's help. What was not got as far as is undefined. */
export interface KubeFacts {
  /** Why flags or a kubeconfig cannot be used at all. */
  readonly refused: FaultStatus | undefined
  /** Why Nodes cannot be listed. */
  readonly reading: FaultStatus | undefined
  /** What an agent does, and these credentials may not, by verb and resource (`nodes/status`); empty where nobody could tell. */
  readonly missingRights: readonly { readonly verb: string; readonly resource: string }[]
  /** Our own Node; null: there is none of that name. */
  readonly node: { readonly podCidrs: readonly string[] } | null | undefined
  /** Its name, where it is known. */
  readonly nodeName: string | undefined
  /** What the network configuration asks for, a network a family; null: there is no such file. */
  readonly configuration: readonly { readonly family: 4 | 6; readonly network: Prefix }[] | null | undefined
  /** Why the file is no configuration. */
  readonly invalid: FaultStatus | undefined
}

/** A Node that was asked for, as far as that tells two of them apart. */
export interface NodeSeen {
  /** When it was made, in milliseconds since 1970. Absent: not known. */
  readonly createdMs?: number | undefined
  /** On which boot of a machine its kubelet runs (random(4), boot_id). Absent: none has said. */
  readonly bootId?: string | undefined
}

/** An API server that lives says sooner what one Node is. */
export const ANSWER_WITHIN_MS = 2_000

export interface KubeReads {
  /** `--net-config-path`. */
  readonly netConfigPath: string
  /** Where the flags were found, in words: `the flanneld that runs here (pid 812)`. */
  readonly from: string
  /** Where the URL of the API server is from, in words: `server: in /etc/flannel/kubeconfig`. */
  readonly server: string
  /** Asks when it is first called, and once. Rejects only when it was stopped. */
  readonly ask: () => Promise<KubeFacts>
  /** The same within {@link ANSWER_WITHIN_MS}, for our own Node alone: whether the API server answers at all. */
  readonly askBriefly: () => Promise<KubeFacts>
  /** Those that there are of some Nodes, by their names. Empty where the API server does not tell. */
  readonly nodes: (names: readonly string[]) => Promise<ReadonlyMap<string, NodeSeen>>
}
