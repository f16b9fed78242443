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
}

/** What rules of others do to packets of the overlay. The texts name the rule and the cure. */
export interface ForeignVerdicts {
  readonly drops: readonly string[]
  readonly masquerades: readonly string[]
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
