import type { DevicePorts } from '../../backend/device-keeper.ts'
import type { AgentCounts } from '../../counts/agent-counts.ts'
import type { NodeIdentity } from '../../lease/lease.ts'
import type { Family, Ip } from '../../net/ip.ts'
import type { Mac } from '../../net/mac.ts'
import type { Firewall } from '../../kernel/firewall.ts'
import type { NeighbourTable } from '../../kernel/neighbour-table.ts'
import type { ForeignRules } from '../../kernel/foreign-rules.ts'
import type { PeerFilter } from '../../kernel/peer-filter.ts'
import type { OpenEchoSocket } from '../../probe/echo-socket.ts'
import type { Conditions } from './conditions.ts'
import type { PeerReaches } from '../../probe/peer-reaches.ts'
import type { AgentStatus } from './status.ts'
import type { SubnetManager } from './subnet-manager.ts'

/** The outside world as the agent sees it: with all that devices of ours are handed. */
export interface AgentPorts extends DevicePorts {
  readonly firewall: Firewall
  readonly peerFilter: PeerFilter
  readonly foreignRules: ForeignRules
  /** Write requests sent to the kernel so far, for the log. */
  readonly kernelWrites: () => number
  readonly subnets: SubnetManager
  /** Where tasks report what fails and what holds. */
  readonly conditions: Conditions
  /** Where what happens is counted, for metrics. */
  readonly counts: AgentCounts
  /** Told of the session and its tables. */
  readonly status: AgentStatus
  /** Told whether packets arrive at peers; whoever wants to know asks it. */
  readonly reaches: PeerReaches
  /** Opens a socket by which peers are asked. */
  readonly openProbe: OpenEchoSocket
  /** As many random octets, which nobody can guess. */
  readonly entropy: (octets: number) => Uint8Array
  readonly node: NodeIdentity
  /** Random, new at every start: tells machines with one machine id apart. */
  readonly instance: string
  /** The value of a kernel setting; undefined when there is no such setting. Rejects with Node's own error. */
  readonly readSysctl: (name: readonly string[]) => Promise<string | undefined>
  /** Addresses of the servers that this host's names are asked of. Never rejects. */
  readonly readResolvers: () => Promise<readonly Ip[]>
  /** Packets that came in with a wrong checksum since the host was started; undefined: nobody says. Never rejects. */
  readonly readChecksumErrors: () => Promise<number | undefined>
  /** The kernel's tables of neighbours; empty: it does not tell. Never rejects. */
  readonly readNeighbourTables: () => Promise<readonly NeighbourTable[]>
  /** Who a node is whose id another machine has too, told from it by the hardware address of its underlay: the same at every start. */
  readonly deriveCopyId: (nodeId: string, hardware: Mac) => string
  /** MAC of a node's end point in an overlay, for a node that has none yet: the same at every start. */
  readonly deriveMac: (nodeId: string, vni: number, family: Family) => Mac
}
