import type { Prefix } from '../net/prefix.ts'

/** Which of the kernel's rule sets carries our rules. */
export type FirewallKind = 'nftables' | 'iptables'

/** One family of the overlay: the whole network, and the part of it that is ours. */
export interface FirewallFamily {
  readonly network: Prefix
  readonly subnet: Prefix
}

/** What the rules should be. Neither masquerade nor forward: no rule of ours. */
export interface FirewallSpec {
  readonly kind: FirewallKind
  readonly families: readonly FirewallFamily[]
  /** Packets from containers to the world, and from the world to containers elsewhere, take this host's address. */
  readonly masquerade: boolean
  /** Source ports of masqueraded connections are chosen at random: two of them rarely choose the same at once. */
  readonly randomFully: boolean
  /** Packets from and to the overlay are forwarded whatever the policy of others. */
  readonly forward: boolean
}

/** How it came that rules could not be read or written. */
export type FirewallErrorCode =
  /** The program is not there. */
  | 'MISSING'
  /** This build of nft cannot write JSON. */
  | 'NO_JSON'
  /** The program ended with a failure; its words are in the message. */
  | 'REFUSED'
  /** The program did not end in time, and was killed. */
  | 'TIMEOUT'
  /** The program printed more than was asked for, and was killed. */
  | 'TOO_LONG'
  /** What the program printed cannot be read, or it does not print all that stands. */
  | 'UNREADABLE'
  /** Our accept stands behind somebody's rule that may drop what it is for, and nothing is done about that. */
  | 'BLOCKED'
  /** What should go is in use by somebody else's rules, which the message names. */
  | 'HELD'

/** Rules that could not be read or written. The message says what cures it, where that is known. */
export class FirewallError extends Error {
  override readonly name = 'FirewallError'
  readonly code: FirewallErrorCode
  /** The program: `nft`, `ip6tables-restore`. */
  readonly tool: string

  constructor(tool: string, code: FirewallErrorCode, message: string) {
    super(message)
    this.tool = tool
    this.code = code
  }
}

/** What came of one look. */
export interface FirewallReport {
  /** What was not as it should be, and has been put right: `nftables ip flannel-ipv4`. */
  readonly changed: readonly string[]
  /** Rules of an earlier run that stood where this host has none any more, and are gone now. Absent: none. */
  readonly leftovers?: readonly string[]
  /** Whether all rules asked for stand. Rules of an earlier run that cannot be removed do not count. */
  readonly stands: boolean
  /** What could not be put right. */
  readonly problems: readonly FirewallError[]
  /** The version of iptables that cannot have ports of masqueraded connections chosen at random, which was asked for. */
  readonly lacksRandomFully?: string
}

/** What of ours stands. */
export interface FirewallListing {
  /** One line each, in both kinds. */
  readonly standing: readonly string[]
  /** What could not be read, for another reason than that its program is not there, and what cannot be removed. */
  readonly problems: readonly FirewallError[]
}

/**
 * A number that is another after whatever has changed a rule on nftables, the iptables that is on it included. Undefined: the kernel does not
 * say. Of a legacy iptables' rules it says nothing.
 */
export type ReadGeneration = () => number | undefined

/** Hears what came of the rules asked for, which the report at the end says again. */
export type OnTried = (report: FirewallReport) => Promise<void>

/** Port: the host's firewall. Only tables, chains and rules of ours are ever changed. */
export interface Firewall {
  /**
   * Compares what stands with what should, and writes the difference, each set of rules in one transaction. What stands in the kind
   * not asked for is removed once the other stands. Equal: nothing is written; and nothing is read where the kernel says that no rule has
   * changed since all were equal.
   * @param onTried told what came of the rules asked for; what should go is looked for when that has ended
   * @throws when `signal` aborts, and on mistakes of ours; whatever the host does to us is in the report
   */
  sync(spec: FirewallSpec, signal: AbortSignal, onTried?: OnTried): Promise<FirewallReport>

  /** What {@link removeAll} would remove. Changes nothing. */
  planRemoval(signal: AbortSignal): Promise<FirewallListing>

  /** Removes all that is ours, in both kinds. */
  removeAll(signal: AbortSignal): Promise<FirewallReport>
}
