import type { Family, Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { TunDevice } from './tun.ts'
import type { RouteSelection } from './route-selection.ts'
import type { AddressFlag, AddressProtocol, RouteProtocol, RouteTable, RouteType, Scope } from './words.ts'

/*
 * The kernel's tables as the agent speaks of them, and the port through which they are read, changed and watched. The port is handed
 * links and operations, and knows nothing of peers. netlink/ implements it; the reconciler, the backends and the tasks call it.
 */

/** Flags of a network link that we look at (linux/if.h). */
export interface LinkState {
  readonly index: number
  readonly name: string
  /** Other names of the link (`ip link property add … altname`), all of them in one name space. Absent: none. */
  readonly altNames?: readonly string[] | undefined
  readonly mac: Mac | undefined
  readonly mtu: number
  /** IFF_UP: administratively up. */
  readonly up: boolean
  /** IFF_LOWER_UP: has carrier. */
  readonly carrier: boolean
  /** IFLA_PROTO_DOWN: somebody, such as a routing daemon, holds it without carrier, though it is up. */
  readonly protocolDown?: true
  readonly loopback: boolean
  /** IFLA_INFO_KIND: `vxlan`, `bridge`, `veth` …; undefined for a plain card. */
  readonly kind: string | undefined
  readonly alias: string | undefined
  /** Present when `kind` is `vxlan`. */
  readonly vxlan: VxlanState | undefined
  /** Index of the enslaving master (bridge, bond, VRF), if any. */
  readonly master: number | undefined
}

/** Parameters of a VXLAN device (IFLA_VXLAN_*, linux/if_link.h). */
export interface VxlanState {
  readonly vni: number
  /** Underlay address packets are sent from. */
  readonly local: Ip | undefined
  /** Index of the underlay device (IFLA_VXLAN_LINK); 0 when not bound to one. */
  readonly underlayIndex: number
  /** UDP destination port. */
  readonly port: number
  readonly learning: boolean
  readonly gbp: boolean
  /** Time to live of outer packets; 0 means the kernel's default. */
  readonly ttl: number
  /** Whether outer UDP over IPv4 carries a checksum. */
  readonly udpChecksum: boolean
  /** `collect metadata` mode: the device takes its tunnels from routes, not from its FDB. */
  readonly external: boolean
}

export interface AddressState {
  readonly linkIndex: number
  readonly ip: Ip
  readonly prefixLength: number
  readonly scope: Scope
  readonly flags: readonly AddressFlag[]
  /** IFA_PROTO: who made it, where that is known (since Linux 5.18). */
  readonly protocol?: AddressProtocol | undefined
}

export interface NeighbourState {
  readonly ip: Ip
  readonly mac: Mac | undefined
  /** NUD_PERMANENT: set by hand, never ages. */
  readonly permanent: boolean
}

/** One destination of an FDB entry. The kernel keeps a list per MAC; a second one duplicates traffic. */
export interface FdbState {
  readonly mac: Mac
  readonly remote: Ip | undefined
  readonly permanent: boolean
  /** Packets go to another UDP port, with another VNI, or over another link than the device's own. Absent: they do not. */
  readonly astray?: true | undefined
}

/** Where a route sends packets. */
export interface NextHop {
  readonly linkIndex: number | undefined
  readonly gateway: Ip | undefined
}

/**
 * What a route can say beyond {@link RouteState}, by iproute2's names: a source address, metrics such as `mtu`, a realm, an
 * encapsulation, a nexthop object, an end of its life.
 */
export type RouteExtra = 'src' | 'metrics' | 'realm' | 'encap' | 'nhid' | 'expires'

/** A route for all packets to its destination, whatever their type of service and source. */
export interface RouteState {
  readonly destination: Prefix
  /** Of the first next hop, as is `linkIndex`. */
  readonly gateway: Ip | undefined
  /** RTA_PRIORITY. */
  readonly metric: number
  readonly protocol: RouteProtocol
  readonly scope: Scope
  /** RTNH_F_ONLINK: the gateway counts as directly reachable. */
  readonly onlink: boolean
  readonly type: RouteType
  readonly table: RouteTable
  readonly linkIndex: number | undefined
  /** The next hops of a multipath route after its first. Absent: none. */
  readonly furtherHops?: readonly NextHop[] | undefined
  /** Absent: nothing. */
  readonly extras?: readonly RouteExtra[] | undefined
}

/** Whether a route leads over the link, by any of its next hops. */
export const leadsOver = ({ linkIndex, furtherHops }: RouteState, link: number): boolean =>
  linkIndex === link || furtherHops?.some((hop) => hop.linkIndex === link) === true

/** Tables to be gone through once, of which nothing is kept that is not looked at. */
export interface KernelRows {
  readonly neighbours: Iterable<NeighbourState>
  readonly fdb: Iterable<FdbState>
  readonly routes: Iterable<RouteState>
}

export interface KernelTables extends KernelRows {
  readonly neighbours: readonly NeighbourState[]
  readonly fdb: readonly FdbState[]
  readonly routes: readonly RouteState[]
}

/** Settings of a VXLAN device to create. */
export interface VxlanSpec {
  readonly name: string
  readonly mac: Mac
  readonly mtu: number
  readonly alias: string
  readonly vxlan: Omit<VxlanState, 'external'>
}

/** One change to the kernel. `replace` creates or overwrites; deleting what is gone is success. */
export type KernelOp =
  | { readonly op: 'link.create'; readonly spec: VxlanSpec }
  | { readonly op: 'link.delete'; readonly linkIndex: number }
  | {
      readonly op: 'link.set'
      readonly linkIndex: number
      readonly mtu?: number
      readonly mac?: Mac
      readonly up?: boolean
      readonly alias?: string
      /** 0 takes the link out of its bridge, bond or VRF. */
      readonly master?: 0
      /** IFLA_INET6_ADDR_GEN_MODE: `none` keeps the kernel from giving the device a link-local address. */
      readonly addressGeneration?: 'none' | 'eui64'
    }
  /** With {@link ADDRESS_PROTOCOL}, where the kernel keeps that. */
  | {
      readonly op: 'address.add'
      readonly linkIndex: number
      readonly ip: Ip
      readonly prefixLength: number
      /** IFA_F_NOPREFIXROUTE: without a route to its network. */
      readonly noPrefixRoute?: true | undefined
    }
  | { readonly op: 'address.delete'; readonly linkIndex: number; readonly ip: Ip; readonly prefixLength: number }
  | { readonly op: 'neighbour.replace'; readonly linkIndex: number; readonly ip: Ip; readonly mac: Mac }
  | { readonly op: 'neighbour.delete'; readonly linkIndex: number; readonly ip: Ip }
  | { readonly op: 'fdb.replace'; readonly linkIndex: number; readonly mac: Mac; readonly remote: Ip }
  /** The MAC with whatever destination it has. */
  | { readonly op: 'fdb.delete'; readonly linkIndex: number; readonly mac: Mac }
  | {
      readonly op: 'route.replace'
      readonly destination: Prefix
      /** unicast needs a link; a blackhole has neither link nor gateway */
      readonly type: 'unicast' | 'blackhole'
      readonly linkIndex?: number
      readonly gateway?: Ip | undefined
      readonly metric: number
      readonly protocol: RouteProtocol
      readonly onlink?: boolean
    }
  | {
      readonly op: 'route.delete'
      readonly destination: Prefix
      readonly type: 'unicast' | 'blackhole'
      readonly linkIndex?: number
      readonly gateway?: Ip | undefined
      readonly metric: number
      readonly protocol: RouteProtocol
    }

/** Name of an errno, such as `EEXIST`; `E524` for one that has none. */
export type ErrnoName = `E${string}`

/**
 * What can go wrong beside a refusal: the answer was lost to an overrun, could not be read, came too late; the table changed too often
 * while it was read; the request does not fit a message; the caller's signal fired; the socket is closed.
 */
export type KernelFault = 'LOST' | 'DECODE' | 'TIMEOUT' | 'INTERRUPTED' | 'ENCODE' | 'ABORTED' | 'CLOSED'

export type KernelErrorCode = ErrnoName | KernelFault

/** A request the kernel refused, or a socket that failed. Errors are data: branch on `code`, never on the text. */
export class KernelError extends Error {
  override readonly name = 'KernelError'
  /** What was asked, such as `route.replace`. */
  readonly op: string
  /** Positive errno; 0 when the fault is not the kernel's (then `code` says what). */
  readonly errno: number
  readonly code: KernelErrorCode
  /** The object concerned, for people: `10.15.64.0/20 dev flannel.100`. */
  readonly target: string

  constructor(
    fields: Pick<KernelError, 'op' | 'errno' | 'code' | 'target' | 'message'> & { readonly cause?: unknown },
  ) {
    super(fields.message, { cause: fields.cause })
    this.op = fields.op
    this.errno = fields.errno
    this.code = fields.code
    this.target = fields.target
  }
}

export type OpResult = { readonly ok: true } | { readonly ok: false; readonly error: KernelError }

/** Something in the kernel is no longer as last read. Facts, in the kernel's order; what to do about them is the reconciler's business. */
export type KernelChange =
  | { readonly kind: 'link'; readonly link: LinkState; readonly gone: boolean }
  | { readonly kind: 'address'; readonly address: AddressState; readonly gone: boolean }
  | {
      readonly kind: 'neighbour'
      readonly linkIndex: number
      readonly neighbour: NeighbourState
      readonly gone: boolean
    }
  | { readonly kind: 'fdb'; readonly linkIndex: number; readonly entry: FdbState; readonly gone: boolean }
  /** Of a watched link; of any, when it has been put in the place of another of the same destination and metric, which is not named. */
  | { readonly kind: 'route'; readonly route: RouteState; readonly gone: boolean }
  /** Main-table routes of links that are not watched came, went or changed: for who asked to hear of it. */
  | { readonly kind: 'other-routes' }
  /** A route to somewhere of interest came, went or changed: of a link that is not watched, of another table, or for some packets only. */
  | { readonly kind: 'foreign-route'; readonly destination: Prefix }
  /** The rules that choose among routing tables have changed. */
  | { readonly kind: 'rules'; readonly family: Family }
  /** Notifications were lost (ENOBUFS): only a new snapshot tells the truth. */
  | { readonly kind: 'overrun' }

/** Where a packet to an address would leave. */
export interface RouteLookup {
  readonly linkIndex: number
  /** undefined: the destination is on the link. */
  readonly gateway: Ip | undefined
  readonly source: Ip | undefined
}

/** A route that only some packets to its destination follow, and stands beside those for all. */
export interface SelectiveRoute {
  readonly route: RouteState
  /** Which, in iproute2's words: `tos 0x10`, `from 2001:db8::/64`. */
  readonly only: string
}

/** Which packet it is of which the kernel is asked what becomes of it. */
export interface RouteQuestion {
  readonly destination: Ip
  /** The host itself sends it, from this address of its own. Absent: from the one that the kernel chooses. */
  readonly source?: Ip | undefined
  /** Comes in by this link, from an address that is none of the host's, and is forwarded. Absent: the host itself sends it. */
  readonly forwarded?: { readonly linkIndex: number; readonly source: Ip } | undefined
}

/** The very route that a packet would follow, of whatever table, or why it would follow none: the errno that its sender would get. */
export type RouteAnswer =
  { readonly is: 'route'; readonly route: RouteState } | { readonly is: 'none'; readonly code: ErrnoName }

/** A rule of the routing policy (`ip rule`): which packets look into which table. */
export interface RuleState {
  readonly family: Family
  readonly priority: number
  /** Absent: whatever it is, as for all that follow. */
  readonly from?: Prefix | undefined
  readonly to?: Prefix | undefined
  readonly iif?: string | undefined
  readonly oif?: string | undefined
  readonly mark?: { readonly value: number; readonly mask: number } | undefined
  /** All packets but those. */
  readonly isInverted: boolean
  /** Undefined: it leads to no table of its own ({@link RuleState.action}). */
  readonly table: RouteTable | undefined
  /** In iproute2's words: `lookup 200`, `unreachable`, `lookup [l3mdev-table]`. */
  readonly action: string
}

/** Port: the kernel's tables over rtnetlink. Calls reject with {@link KernelError}. */
export interface Kernel {
  /** Whether this process may change anything: CAP_NET_ADMIN, in the user namespace that the network is of. Changes nothing. */
  mayWrite(signal: AbortSignal): Promise<boolean>
  links(signal: AbortSignal): Promise<readonly LinkState[]>
  /** Undefined when there is no link of that name. */
  link(name: string, signal: AbortSignal): Promise<LinkState | undefined>
  addresses(signal: AbortSignal): Promise<readonly AddressState[]>
  /** What RTM_GETROUTE answers; undefined when unreachable. */
  lookup(destination: Ip, signal: AbortSignal): Promise<RouteLookup | undefined>
  /** One answer for each question, in their order; rejects when one of them is lost. */
  answers(questions: readonly RouteQuestion[], signal: AbortSignal): Promise<readonly RouteAnswer[]>
  /** Main-table routes of one family that {@link routes} leaves out. */
  selectiveRoutes(family: Family, signal: AbortSignal): Promise<readonly SelectiveRoute[]>
  /** In the order in which they are gone through. */
  rules(family: Family, signal: AbortSignal): Promise<readonly RuleState[]>
  /** Main-table routes of one family: all, or some, which costs in proportion to those. */
  routes(family: Family, signal: AbortSignal, selection?: RouteSelection): Promise<readonly RouteState[]>

  /** The three tables of one device, of the given families. Consistent: a dump that the kernel marks as interrupted is repeated. */
  snapshot(linkIndex: number, families: readonly Family[], signal: AbortSignal): Promise<KernelTables>

  /** The same as {@link snapshot}, for tables of tens of thousands of rows. They can be gone through once, which may throw a {@link KernelError}. */
  rows(linkIndex: number, families: readonly Family[], signal: AbortSignal): Promise<KernelRows>

  /**
   * Sends the operations in order, in large batches; one result per operation, in the same order. One failure never stops the rest.
   * When this resolves, whoever reads {@link changes} without awaiting anything in between has read whatever the operations caused,
   * and all that came before: what is reported later is not their doing.
   */
  apply(ops: readonly KernelOp[], signal: AbortSignal): Promise<readonly OpResult[]>

  /**
   * Makes a TUN device; in the pattern of its name, `%d` is a number that the kernel chooses. Rejects with `tun.open`: ENOENT without
   * /dev/net/tun, ENODEV and ENXIO without the driver, EPERM and EACCES where that is not permitted.
   */
  openTun(pattern: string, signal: AbortSignal): Promise<TunDevice>

  /** Resolves when whoever reads {@link changes} in that way has read all that the kernel has reported so far. */
  catchUp(): Promise<void>

  /**
   * Changes from the moment of the call on (the subscription stands when this returns): of all links and addresses, and of the
   * neighbours, fdb entries and routes of the links that `watched()` names at the time. All other links' are dropped unread, but for
   * routes that have taken the place of others, the fact that there are changed routes, while `otherRoutes()` asks for it, and those to
   * destinations that `isOfInterest`. Ends when `signal` aborts.
   */
  changes(
    watched: () => readonly number[],
    signal: AbortSignal,
    otherRoutes?: () => boolean,
    isOfInterest?: (destination: Prefix) => boolean,
  ): AsyncIterable<KernelChange>

  close(): void
}
