import type { ForeignVerdicts } from '../kernel/foreign-rules.ts'
import type { KernelTables, LinkState, RouteAnswer, RuleState } from '../kernel/kernel.ts'
import type { Family, Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { FirewallStatus, PeerStatus } from '../status/document.ts'

/** The node at the other end, in one address family, as its lease says. */
export interface TracedPeer {
  readonly family: Family
  /** Its host name, else its PublicIP. */
  readonly name: string
  readonly key: string
  readonly subnet: Prefix
  readonly publicIp: Ip
  /** `vxlan`, `host-gw` …; empty: its lease names none, as those of `udp` do */
  readonly backendType: string
  /** Of its tunnel end point; undefined where its backend has none. */
  readonly mac: Mac | undefined
  readonly vni: number | undefined
  /** Who says so: `etcd`, `Kubernetes API` or `the agent`. */
  readonly source: string
  /** Set where the agent itself carries the packets to it. */
  readonly carried?: CarriedWay | undefined
}

/** A device whose packets the agent carries, and the one route that leads to all peers. */
export interface CarriedWay {
  /** Undefined: no agent says it; the kernel knows a device of ours of that kind, or there is none. */
  readonly device: string | undefined
  /** Undefined: no agent says it. */
  readonly network: Prefix | undefined
}

/** What the kernel holds for a peer, and by which ways it would send. */
export interface KernelFacts {
  /** Undefined: the backend has none. */
  readonly deviceName: string | undefined
  /** Undefined: there is none of that name. */
  readonly device: LinkState | undefined
  readonly tables: KernelTables
  /** To a container of the peer. */
  readonly toContainer: RouteAnswer
  /** To its PublicIP. */
  readonly toPublicIp: RouteAnswer
  /** But for those that every host has. */
  readonly rules: readonly RuleState[]
  readonly links: ReadonlyMap<number, LinkState>
}

export interface TraceFacts {
  readonly peer: TracedPeer
  /** Why the agent does not use the lease, where it says so. */
  readonly rejected: string | undefined
  readonly kernel: KernelFacts
  /** Whether the agent of this host answers, does not in time, or is not there. */
  readonly agent: 'here' | 'silent' | 'away'
  readonly firewall: {
    /** As its agent says; undefined: none answers. */
    readonly own: FirewallStatus | undefined
    /** Undefined: they cannot be read, or there is nothing to judge them by. */
    readonly ofOthers: ForeignVerdicts | undefined
  }
  /** What the agent found when it asked the peer for this; undefined: nobody could ask. */
  readonly asked: Pick<PeerStatus, 'reach' | 'rttMs' | 'loss' | 'passesOctets' | 'underlay' | 'publicIp'> | undefined
}

export interface Step {
  readonly name: 'lease' | 'device' | 'neighbour' | 'fdb' | 'route' | 'firewall' | 'underlay' | 'probe'
  readonly is: 'right' | 'wrong' | 'unknown'
  /** What was found, in the words of the tool that shows it. */
  readonly found: string
  /** Commands, or a sentence; empty where nothing is wrong. */
  readonly cure: readonly string[]
}
