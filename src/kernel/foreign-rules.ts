import type { Family, Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'

/** The way of one family's packets between the overlay and the containers of this host. */
export interface OverlayPath {
  readonly family: Family
  /** The whole overlay, and the part of it that is ours. */
  readonly network: Prefix
  readonly subnet: Prefix
  /** The interface by which packets from and to other hosts come and go: our device, or the underlay's. */
  readonly device: string
  /** The interface that carries our subnet; undefined while there is none. */
  readonly bridge: string | undefined
}

/** Where tunnels of other hosts end, which come from anywhere. */
export interface TunnelEnd {
  readonly family: Family
  readonly link: string
  readonly address: Ip
  /** The overlay: nothing comes from there that is no tunnel yet. */
  readonly network: Prefix
  /** UDP. */
  readonly port: number
  /** Hosts at the other ends that are to be judged one by one, beside all of them alike: few. Absent: none. */
  readonly others?: readonly Ip[]
}

/** What a rule of others does to packets of the overlay. */
export interface ForeignVerdict {
  /** Drops what is forwarded, what comes to the port of the tunnels or is sent to it, or what comes to single containers; or rewrites sources. */
  readonly kind: 'forward' | 'tunnel' | 'container' | 'masquerade'
  /** Table, chain and rule: `nftables inet firewalld, chain filter_FWD_public (handle 12),`. */
  readonly place: string
  /** What it does: `drops packets between containers of different hosts`. */
  readonly does: string
  /** A command, or what else puts it right. */
  readonly cure: string
}

/** The rule, what it does, and the cure. */
export const sayVerdict = ({ place, does, cure }: ForeignVerdict): string => `${place} ${does}. Cure: ${cure}`

/** Rules of both kinds of iptables in one host: the kernel heeds all of them, and each of the two commands shows its own only. */
export interface MixedVariants {
  readonly family: Family
  /** The one that `iptables` is here. */
  readonly used: 'nft' | 'legacy'
  /** How many rules, and policies to drop, stand in tables of each. */
  readonly ofNft: number
  readonly ofLegacy: number
}

export interface ForeignVerdicts {
  readonly drops: readonly ForeignVerdict[]
  readonly masquerades: readonly ForeignVerdict[]
  /** By family; absent: there are none. */
  readonly mixed?: readonly MixedVariants[]
}

/** Port: what others have written into the host's firewall. Nothing is ever changed. */
export interface ForeignRules {
  /**
   * Judges by the rules as they stand. What hangs on anything that is not known of the packets counts as harmless.
   * @returns undefined where the rules cannot be read, or are too many
   * @throws when `signal` aborts
   */
  judge(
    paths: readonly OverlayPath[],
    tunnels: readonly TunnelEnd[],
    signal: AbortSignal,
  ): Promise<ForeignVerdicts | undefined>
}
