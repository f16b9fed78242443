import type { Family } from '../net/ip.ts'
import type { Reach } from '../probe/reach.ts'

/*
 * What the status socket answers, as JSON. Within one version, fields are added and never change their meaning. Times are ISO 8601 in UTC;
 * what is unknown, or not there, is null and never left out. No secret ever stands in it.
 *
 *   GET  /v1/status                 StatusDocument
 *   GET  /v1/peers[?of=NAME|IP|SUBNET][&reach=WORD]      PeersDocument
 *   GET  /v1/pending                PendingDocument
 *   GET  /v1/rejected               RejectedDocument
 *   GET  /v1/events                 EventsDocument; with `Accept: text/event-stream` each StatusEvent as it comes
 *   POST /v1/probe?of=NAME|IP|SUBNET     asks now; PeersDocument once it is decided, at the latest after 10 s
 *   GET  /metrics                   Prometheus' text format
 */
export const STATUS_VERSION = 1

/** How many rows the status itself shows of what has a path of its own. */
export const STATUS_ROWS = 20
/** How many events are kept. */
export const EVENTS_KEPT = 200

export interface StatusDocument {
  readonly version: typeof STATUS_VERSION
  /** When this was written. */
  readonly at: string
  readonly state: 'ready' | 'degraded' | 'unready'
  readonly node: { readonly id: string; readonly hostname: string; readonly instance: string }
  readonly agent: {
    readonly version: string
    readonly commit: string
    readonly pid: number
    readonly startedAt: string
    readonly uptimeSeconds: number
  }
  /** Those that others follow from first. */
  readonly conditions: readonly ConditionStatus[]
  readonly configuration: ConfigurationStatus | null
  readonly lease: LeaseStatus | null
  readonly families: readonly FamilyStatus[]
  readonly peers: PeersSummary
  /** The first {@link STATUS_ROWS}. */
  readonly pending: Counted<PendingStatus>
  readonly rejected: Counted<RejectedStatus>
  readonly store: StoreStatus
  readonly firewall: FirewallStatus
  readonly kernel: {
    readonly requests: number
    readonly errors: number
    readonly overruns: number
    readonly writes: number
  }
  /** The last {@link STATUS_ROWS}, the newest last. */
  readonly events: readonly StatusEvent[]
}

export interface Counted<T> {
  readonly total: number
  readonly rows: readonly T[]
}

export interface ConditionStatus {
  readonly what: string
  readonly reason: string
  readonly effect: 'unready' | 'incomplete' | 'degraded' | 'none'
  readonly since: string
  readonly forSeconds: number
  /** The error that it fails with; null: none, or one that cannot be told apart. */
  readonly fault: FaultStatus | null
}

/** An error as data, so that nobody need look into its words. */
export interface FaultStatus {
  /** Its class: `StoreError`, `KernelError`, `ConfigError`, `FirewallError`, `OutOfSubnetsError` … */
  readonly error: string
  /** gRPC's name of a status, the name of an errno, that of a failure of the firewall. */
  readonly code: string | null
  /** Of a store: what it comes from, in a word that stays the same: `ECONNREFUSED`. */
  readonly root: string | null
  readonly op: string | null
  readonly url: string | null
  /** An object of the kernel, a field or flag of the configuration, a program. */
  readonly target: string | null
  readonly says: string
  /** Of a store whose endpoints fail for different reasons: that of each. */
  readonly parts: readonly FaultStatus[]
}

export interface ConfigurationStatus {
  /** Where it comes from, such as `/coreos.com/network/config`. */
  readonly source: string
  readonly networks: readonly NetworkStatus[]
  /** `vxlan`, `host-gw` or `alloc`, with what it says of itself, such as VNI and port. */
  readonly backend: { readonly type: string; readonly settings: Readonly<Record<string, string | number | boolean>> }
  /** What stands in the store and waits for a restart, in words. */
  readonly waitsForRestart: readonly string[]
  /** Flags of this agent that are not at their default, by name; secrets are left out. */
  readonly flags: Readonly<Record<string, string>>
}

export interface NetworkStatus {
  readonly family: Family
  readonly network: string
  readonly subnetLength: number
  /** Base addresses of the first and the last subnet that are handed out (SubnetMin, SubnetMax). */
  readonly firstSubnet: string
  readonly lastSubnet: string
}

export interface LeaseStatus {
  readonly key: string
  readonly subnets: readonly string[]
  /** Null: it does not expire, as a reservation. */
  readonly expiresAt: string | null
  readonly secondsLeft: number | null
  readonly how: 'kept' | 'updated' | 'taken over' | 'created'
}

export interface FamilyStatus {
  readonly family: Family
  readonly subnet: string
  readonly underlay: {
    readonly interface: string
    readonly index: number
    readonly address: string
    readonly publicIp: string
    readonly mtu: number
    readonly hasCarrier: boolean
  }
  /** Null: the backend has none. */
  readonly device: {
    readonly name: string
    readonly index: number | null
    readonly mac: string | null
    readonly address: string
    readonly mtu: number
    readonly vni: number | null
    readonly port: number | null
    /** Packets that the agent itself has carried, where it does; null: the kernel carries them. */
    readonly forwarder: ForwarderStatus | null
  } | null
  readonly tables: {
    readonly peers: number
    readonly pending: number
    readonly synced: boolean
    /** Rows that others had changed and that were put right, since the start, by table. */
    readonly restored: Readonly<Record<'neighbour' | 'fdb' | 'route', number>>
    readonly passes: number
    readonly lastPassMs: number | null
  }
}

/** Since the device was made. Octets are those of the packets, without what carries them. */
export interface ForwarderStatus {
  readonly sentPackets: number
  readonly sentOctets: number
  readonly receivedPackets: number
  readonly receivedOctets: number
  /** Packets that were dropped, by why (docs/backends.md). */
  readonly drops: Readonly<Record<string, number>>
}

export interface PeersSummary {
  /** Peers, whatever families they have. */
  readonly total: number
  /** Of these, whose leases the store has lost, and who are kept for a while. */
  readonly kept: number
  /** A peer counts once in each family that it has. */
  readonly byReach: Readonly<Record<Reach, number>>
  /** The same, one for each family of this node. */
  readonly families: readonly { readonly family: Family; readonly byReach: Readonly<Record<Reach, number>> }[]
  /** Whether peers are asked at all (`--peer-probes`), and why not. */
  readonly probes: { readonly isOn: boolean; readonly why: string | null }
  /** The first {@link STATUS_ROWS} that are neither reachable nor unknown, the worst first. */
  readonly notReachable: readonly PeerStatus[]
}

/** One peer in one address family. */
export interface PeerStatus {
  readonly family: Family
  /** Its host name, where its lease says one; else its PublicIP. */
  readonly name: string
  readonly nodeId: string | null
  readonly key: string
  readonly subnet: string
  readonly publicIp: string
  readonly backendType: string
  /** Whether its lease never expires, as a reservation; null where that is not known. */
  readonly isReserved: boolean | null
  /** Of its end point; null where its backend has none. */
  readonly mac: string | null
  /** Its address on the overlay, which is asked; null where its backend has none. */
  readonly address: string | null
  /** Until when it is kept though the store has lost its lease: its node has to publish itself again by then; null: it stands there. */
  readonly keptUntil: string | null
  /** Whether packets take the underlay itself (DirectRouting, host-gw). */
  readonly isDirect: boolean
  readonly entries: readonly {
    readonly table: 'neighbour' | 'fdb' | 'route' | 'forwarder'
    readonly row: string
    readonly isInKernel: boolean
  }[]
  readonly reach: Reach
  readonly reachSince: string
  readonly rttMs: number | null
  readonly loss: number
  readonly passesOctets: number | null
  readonly underlay: { readonly answers: boolean; readonly rttMs: number | null; readonly says: string | null } | null
  /** Where the agent itself carries its packets; absent: the kernel does. */
  readonly forwarder?: PeerForwarderStatus
}

/** Since this peer has had its subnet and its address. Octets are those of the packets, without what carries them. */
export interface PeerForwarderStatus extends Omit<ForwarderStatus, 'drops'> {
  /** Packets that it sent from addresses which are not in its subnet. */
  readonly refusedPackets: number
}

export interface PeersDocument {
  readonly version: typeof STATUS_VERSION
  readonly at: string
  /** Whether this node has a lease: without one it has no peers. */
  readonly hasLease: boolean
  readonly peers: readonly PeerStatus[]
}

export interface PendingStatus {
  readonly family: Family
  readonly table: 'neighbour' | 'fdb' | 'route'
  readonly row: string
  readonly peer: string | null
  readonly why: string
  readonly until: string | null
}

export interface PendingDocument extends Counted<PendingStatus> {
  readonly version: typeof STATUS_VERSION
}

export interface RejectedStatus {
  readonly key: string
  readonly subnet: string | null
  readonly publicIp: string | null
  readonly name: string | null
  readonly reason: string
  /** Which kind of reason, as the metric `flannel_rejected_leases` has it (docs/metrics.md). */
  readonly code: string
}

export interface RejectedDocument extends Counted<RejectedStatus> {
  readonly version: typeof STATUS_VERSION
}

/** Who gives out subnets: etcd, or the API server of Kubernetes. */
export type StoreKind = 'etcd' | 'kubernetes'

/** What it is called where people read it. */
export const STORE_NAMES: Readonly<Record<StoreKind, string>> = { etcd: 'etcd', kubernetes: 'Kubernetes API' }

export interface StoreStatus {
  readonly kind: StoreKind
  /** Whether the last thing that was asked of it was answered. */
  readonly isUp: boolean
  readonly since: string
  readonly endpoints: readonly EndpointStatus[]
  readonly reconnects: number
  /** When our lease was last renewed. */
  readonly renewedAt: string | null
  readonly certificates: readonly {
    readonly file: string
    readonly expiresAt: string | null
    readonly problem: string | null
  }[]
}

/** Whether it answers that it does not do what it was asked, as a server does that does not know who asks, or what is asked for. */
export const isRefusing = ({ endpoints }: Pick<StoreStatus, 'endpoints'>): boolean => endpoints.some(refuses)

export const refuses = ({ isUp, latencyMs }: EndpointStatus): boolean => isUp === true && latencyMs === null

export interface EndpointStatus {
  readonly url: string
  /** Whether the last request was answered; null: it was not asked yet. */
  readonly isUp: boolean | null
  /** Of the last one that was answered; null: it was not, or by a refusal. */
  readonly latencyMs: number | null
  readonly lastError: string | null
  readonly lastErrorAt: string | null
}

export interface FirewallStatus {
  readonly isWanted: boolean
  /** `nftables`, `iptables`; null while nobody has looked. */
  readonly kind: string | null
  readonly holds: boolean | null
  readonly repairs: number
  readonly lastLookAt: string | null
  /** `--vxlan-peer-filter`: null where it is off. */
  readonly peerFilter: { readonly holds: boolean; readonly drops: number | null } | null
}

/** Something that happened, once. `kind` and the keys of `fields` are documented in docs/events.md and stay. */
export interface StatusEvent {
  /** Counts up from 1 at each start. */
  readonly id: number
  readonly at: string
  readonly level: 'info' | 'warn' | 'error'
  /** Which of the events of docs/events.md; null: a line of the log that is none of them. */
  readonly kind: string | null
  readonly text: string
  readonly fields: Readonly<Record<string, string | number | boolean>>
}

export interface EventsDocument {
  readonly version: typeof STATUS_VERSION
  readonly events: readonly StatusEvent[]
}
