import type { Condition, Traffic } from './traffic.ts'

/** What becomes of a packet that meets a rule's conditions. `unknown`: whatever. */
export type Verdict =
  | { readonly is: 'accept' | 'drop' | 'nat' | 'return' | 'none' | 'unknown' }
  | { readonly is: 'jump' | 'goto'; readonly target: string }
  /** A verdict map: undefined where the packets meet none of its keys. */
  | { readonly is: 'lookup'; readonly choose: (traffic: Traffic) => Verdict | undefined }

export interface ForeignRule {
  readonly conditions: readonly Condition[]
  readonly verdict: Verdict
  /** For people: the rule itself, or how it is found. */
  readonly text: string
  /** Destinations that it names, as it spells them, where it is for packets that have not come by one interface. */
  readonly guarded?: readonly string[] | undefined
  /** There where nft has no words for some conditions, which iptables has: those that it has words for. */
  readonly known?: readonly Condition[] | undefined
}

export interface ForeignChain {
  readonly name: string
  /** Those of chains through which packets go by themselves. */
  readonly hook: string | undefined
  readonly type: string | undefined
  readonly policy: 'accept' | 'drop'
  /** The interfaces at which it stands, where its hook is one of theirs. */
  readonly devices?: readonly string[] | undefined
  readonly rules: readonly ForeignRule[]
}

/** A table of one variant of the kernel's rules. */
export interface ForeignTable {
  /** For people: `nftables inet firewalld`, `iptables-legacy filter`. */
  readonly title: string
  readonly name: string
  /** 'ip', 'ip6', 'inet' or 'netdev'. */
  readonly family: string
  readonly chains: ReadonlyMap<string, ForeignChain>
}

/** A chain whose rules are read when they are first asked for: of most, nobody asks. */
export function chainOf(
  { name, hook, type, policy, devices }: Omit<ForeignChain, 'rules'>,
  read: () => readonly ForeignRule[],
): ForeignChain {
  let known: readonly ForeignRule[] | undefined
  return {
    ...{ name, hook, type, policy, devices },
    get rules() {
      known ??= read()
      return known
    },
  }
}
