import type { ForeignVerdicts } from '../kernel/foreign-rules.ts'
import type { Kernel, LinkState } from '../kernel/kernel.ts'
import type { NeighbourTable } from '../kernel/neighbour-table.ts'
import type { Family, Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { PeersSummary, PeerStatus, StatusDocument } from '../status/document.ts'
import type { KubeReads } from './kube-facts.ts'
import type { StoreReads } from './store-facts.ts'

/*
 * What a check is handed. Each thing is read when the first check asks for it, and once: all checks see the same host. Whatever a host can do
 * to a reader is an answer here (undefined: it is not there, or cannot be read); what rejects is told as "not looked into".
 */

/** One address family of the overlay on this host: as the agent says it, or as the kernel and the subnet file show it where none runs. */
export interface OverlayHere {
  readonly family: Family
  /** The whole overlay, where it is known. */
  readonly network: Prefix | undefined
  /** The part of it that is ours. */
  readonly subnet: Prefix
  readonly underlay: {
    readonly interface: string
    readonly index: number
    /** Outer source address of our packets. */
    readonly address: Ip
    /** Where peers send to. */
    readonly publicIp: Ip
  }
  /** Undefined: the backend has none. */
  readonly device:
    | {
        readonly name: string
        readonly index: number | undefined
        /** Our own address on the overlay. */
        readonly address: Ip
        readonly mtu: number
        readonly vni: number | undefined
        /** UDP. */
        readonly port: number | undefined
        /** The process that carries its packets; absent: the kernel does. */
        readonly carrier?: number | undefined
      }
    | undefined
}

/** Reads of the kernel. Changes nothing. */
export type KernelReads = Pick<
  Kernel,
  'links' | 'addresses' | 'lookup' | 'answers' | 'rules' | 'routes' | 'selectiveRoutes' | 'snapshot'
>

/** What a program printed, and how it ended. */
export interface ToolOutput {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A process of this host. */
export interface ProgramHere {
  readonly pid: number
  readonly name: string
}

export interface HostReads {
  readonly kernel: KernelReads
  /** Without the line feed at its end; undefined where there is no such file. At most 1 MiB of it. */
  text(path: string): Promise<string | undefined>
  /** Names in a folder; empty where there is none. */
  names(folder: string): Promise<readonly string[]>
  /** A program that only shows something; undefined where it is not installed. What it asks for is read once. */
  show(program: string, ...args: readonly string[]): Promise<ToolOutput | undefined>
  /** The same for what goes on changing: it is run at each call. */
  showNow(program: string, ...args: readonly string[]): Promise<ToolOutput | undefined>
  /** Who holds a socket, by its inode (as /proc/net/udp has it); undefined: no process that can be seen, such as the kernel itself. */
  holderOf(inode: string): Promise<ProgramHere | undefined>
  /** Packets that came in with a wrong checksum since the host was started, as it is now: read at each call. */
  checksumErrors(): Promise<number | undefined>
  /** What the kernel counts of packets that it drops, by the names of nstat(8), as it is now: read at each call. */
  dropCounts(): Promise<ReadonlyMap<string, number>>
  /** The kernel's tables of neighbours as they are now: read at each call. Empty where it does not tell. */
  neighbourTables(): Promise<readonly NeighbourTable[]>
  /** Rules of others, as they befall the overlay's packets; undefined where there is no overlay. Rejects where they cannot be read. */
  verdicts(): Promise<ForeignVerdicts | undefined>
}

/** What came of a question to another host. */
export type Echo =
  | { readonly is: 'answered'; readonly rttMs: number }
  | { readonly is: 'silence' }
  /** What a router, or the host itself, sent instead, or the errno of the kernel, in words. */
  | { readonly is: 'refused'; readonly says: string }

/** What came of a datagram to a port: silence is what an open one says. */
export type Knock =
  | { readonly is: 'silence' }
  /** ICMP port unreachable: nobody listens, or a firewall rejects in these words. */
  | { readonly is: 'closed' }
  /** ICMP of another kind, such as `administratively prohibited`. */
  | { readonly is: 'refused'; readonly says: string }
  /** Our own kernel did not send it: the errno, in words. */
  | { readonly is: 'unsent'; readonly says: string }

/** An ICMP echo, or the answer to one, in a tunnel on the underlay, as tcpdump shows it. */
export interface TunnelledEcho {
  readonly outerFrom: Ip
  readonly outerTo: Ip
  /** UDP, where it is sent to. */
  readonly port: number
  /** Of the packet inside. */
  readonly from: Ip
  readonly to: Ip
  readonly isAnswer: boolean
}

/** What was seen on the underlay while a peer was asked through the overlay, in vain. */
export interface Sight {
  /** Questions. */
  readonly asked: number
  /** Those of ours that were seen leaving, or at least going to the link: rules of this host had let them pass. */
  readonly leaving: readonly TunnelledEcho[]
  /** Answers of the peer that came in. */
  readonly answers: number
  /** Questions of the peer's own that came in meanwhile. */
  readonly questions: number
  /** What this host has counted meanwhile of packets that it drops, as nstat(8) names it: `TcpExtIPReversePathFilter +3`. */
  readonly counted: readonly string[]
}

/** Questions to other hosts. Few packets each, and none but to those that are named. */
export interface Probes {
  /** ICMP echo. Rejects where this process may not ask. @param octets of the whole IP packet, which must not be fragmented then */
  echo(to: Ip, how: { readonly source: Ip; readonly octets?: number }): Promise<Echo>
  /**
   * Which echoes are seen in tunnels on a link while something is done; undefined: they cannot be told there. Rejects where this process may
   * not look.
   */
  watch(link: LinkState, family: Family, during: () => Promise<unknown>): Promise<readonly TunnelledEcho[] | undefined>
  /** A datagram of UDP that no VXLAN device takes for one of its own. */
  knock(to: Ip, port: number): Promise<Knock>
  /** Who answers for an IPv4 address on a link (ARP, RFC 826); undefined: it cannot be asked. */
  holders(link: LinkState, address: Ip): Promise<readonly Mac[] | undefined>
}

/** A peer that does not answer as it should: a row of the agent's, or one that was asked for this. */
export type Suspect = PeerStatus

export interface View {
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** The peer that `--peer` names. */
  readonly about: string | undefined
  /** What the agent says; undefined: none answers here. */
  readonly agent: () => Promise<StatusDocument | undefined>
  /** Whether one is there that takes questions at its socket, and leaves them without an answer. */
  readonly isAgentSilent: () => Promise<boolean>
  /** Empty while there is neither an agent nor anything that one has left. */
  readonly overlay: () => Promise<readonly OverlayHere[]>
  /**
   * Peers that do not answer, the worst first, each asked again for this; with `--peer`, that one whatever it says. At most
   * {@link MOST_SUSPECTS}.
   */
  readonly suspects: () => Promise<readonly Suspect[]>
  /** How many were asked for this, and have neither answered nor had the time to: they have just joined. */
  readonly undecided: () => Promise<number>
  /**
   * Of those who are asked through tunnels and do not answer, or not always, the first {@link MOST_WATCHED}: what is seen of it on the underlay, by their rows.
   * Rejects where this process may not look.
   */
  readonly sights: () => Promise<ReadonlyMap<Suspect, Sight>>
  /** All peers, as the agent says them: many, so only where something is known to be wrong. Empty where none answers. */
  readonly peers: () => Promise<readonly PeerStatus[]>
  /** How many of them are how, once {@link View.suspects} were asked; undefined: nobody asks them all. */
  readonly reaches: () => Promise<PeersSummary['byReach'] | undefined>
  readonly host: HostReads
  readonly probes: Probes
  readonly store: StoreReads
  /** The API server of Kubernetes, where that is asked instead; undefined: etcd is. */
  readonly kube?: KubeReads | undefined
  /** The process that has claimed this host (host/claim); undefined: none has. */
  readonly claim: number | undefined
}

/** So many peers are looked into: a fault of theirs is theirs, and one of ours shows with any of them. */
export const MOST_SUSPECTS = 12

/** So many are watched for on the underlay. */
export const MOST_WATCHED = 4
