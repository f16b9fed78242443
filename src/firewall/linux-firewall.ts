import type { Family } from '../net/ip.ts'
import {
  FirewallError,
  type Firewall,
  type FirewallKind,
  type FirewallListing,
  type FirewallReport,
  type FirewallSpec,
  type OnTried,
  type ReadGeneration,
} from '../kernel/firewall.ts'
import { runTool, type RunTool } from './command.ts'
import { IptablesRules, type Synced } from './iptables.ts'
import type { IptablesVariant } from './iptables-read.ts'
import { NFT_TABLES } from './names.ts'
import { NftablesRules } from './nftables.ts'
import { FAMILIES, NO_RULES, rulesFor, type FamilyRules } from './rules.ts'
import { UnchangedRules } from './unchanged.ts'

/** A set of rules that is read and written by one program. */
interface Part {
  /** Whether it should hold any rule of ours. */
  readonly isWanted: boolean
  readonly name: string
  sync(signal: AbortSignal): Promise<Synced>
}

const QUIET: FirewallReport = { changed: [], stands: true, problems: [] }

/** The same program is asked for several things, and fails in the same way. */
const distinct = (problems: readonly FirewallError[]): readonly FirewallError[] =>
  problems.filter(({ message }, at) => problems.findIndex((problem) => problem.message === message) === at)

const hasRules = ({ postrouting, forward }: FamilyRules): boolean => postrouting.length + forward.length > 0

/** The firewall of a Linux host. The tools it needs are looked for only when they are used. */
export class LinuxFirewall implements Firewall {
  readonly #nftables: NftablesRules
  readonly #iptables: readonly IptablesRules[]
  readonly #variants: Readonly<Record<IptablesVariant, readonly IptablesRules[]>>
  /** Parts known to hold nothing of ours: looked at once, not at every turn. */
  readonly #empty = new Set<string>()
  /** Whether all that was wanted stood after a look before this one. */
  #hasStood = false
  readonly #unchanged: UnchangedRules

  /** @param generation spares looks in full; by default nothing is known of changes */
  constructor(run: RunTool = runTool, generation: ReadGeneration = () => undefined) {
    this.#unchanged = new UnchangedRules(generation)
    this.#nftables = new NftablesRules(run)
    const rulesOf = (variant?: IptablesVariant): readonly IptablesRules[] =>
      FAMILIES.map((family) => new IptablesRules(family, run, variant))
    this.#iptables = rulesOf()
    this.#variants = { nft: rulesOf('nft'), legacy: rulesOf('legacy') }
  }

  async sync(spec: FirewallSpec, signal: AbortSignal, onTried?: OnTried): Promise<FirewallReport> {
    const known = this.#unchanged.report(spec)
    if (known !== undefined) {
      await onTried?.(known)
      return known
    }
    this.#unchanged.begin()
    const report = await this.#look(spec, signal, onTried)
    const isOnNft = rulesFor(spec).every((family, at) => !hasRules(family) || this.#iptables[at]?.isOnNft === true)
    this.#unchanged.end(spec, report, isOnNft)
    return report
  }

  async #look(spec: FirewallSpec, signal: AbortSignal, onTried?: OnTried): Promise<FirewallReport> {
    const rules = rulesFor(spec)
    const [parts, otherParts] = [this.#parts(spec.kind, rules), this.#otherParts(spec.kind, rules)]
    const isWanted = ({ isWanted }: Part): boolean => isWanted
    const own = await this.#syncParts(parts.filter(isWanted), signal)
    // Containers wait for these as well: without them others may drop what is theirs.
    const passes = own.stands && !signal.aborted ? await this.#syncParts(otherParts.filter(isWanted), signal) : QUIET
    await onTried?.({ ...own, changed: [...own.changed, ...passes.changed] })
    // What carries the packets is there before its predecessor goes.
    if (!own.stands || signal.aborted) return own
    const gone = await this.#syncParts(
      [...parts, ...otherParts].filter((part) => !isWanted(part)),
      signal,
    )
    const other = { changed: [...passes.changed, ...gone.changed], problems: [...passes.problems, ...gone.problems] }
    // What nobody uses can wait until the start is over; where nothing is wanted, there may be no other look.
    const isSettled = this.#hasStood && own.changed.length + other.changed.length === 0
    this.#hasStood = true
    const unused = isSettled || !rules.some(hasRules) ? await this.#syncParts(this.#unusedVariant(), signal) : QUIET
    return {
      ...own,
      changed: [...own.changed, ...other.changed],
      ...(unused.changed.length === 0 ? {} : { leftovers: unused.changed }),
      problems: distinct([
        ...own.problems,
        ...[...other.problems, ...unused.problems].filter(({ code }) => code !== 'MISSING'),
      ]),
    }
  }

  async planRemoval(signal: AbortSignal): Promise<FirewallListing> {
    const readers = [
      () => this.#listNftables(signal),
      ...this.#iptables.map((tables) => () => tables.list(signal)),
      ...this.#iptables.map((tables, at) => async () => (await this.#unused(tables, at, signal)).list(signal)),
    ]
    const standing: string[] = []
    const problems: FirewallError[] = []
    for (const read of readers)
      try {
        const found = await read()
        standing.push(...found.standing)
        problems.push(...found.problems)
      } catch (error) {
        if (!(error instanceof FirewallError)) throw error
        if (error.code !== 'MISSING') problems.push(error)
      }
    return { standing, problems: distinct(problems) }
  }

  async removeAll(signal: AbortSignal): Promise<FirewallReport> {
    this.#empty.clear()
    this.#unchanged.forget()
    const parts = [...this.#parts('nftables', NO_RULES), ...this.#parts('iptables', NO_RULES), ...this.#unusedVariant()]
    return this.#syncParts(parts, signal)
  }

  /** Of the two variants of iptables, the one that the host does not use may still carry rules of ours, of before. */
  #unusedVariant(): readonly Part[] {
    return this.#iptables.flatMap((tables, at) => {
      const none = NO_RULES[at]
      if (none === undefined) return []
      const sync = async (signal: AbortSignal): Promise<Synced> =>
        (await this.#unused(tables, at, signal)).sync(none, 'always', signal)
      return [{ name: `unused iptables ${none.family}`, isWanted: false, sync }]
    })
  }

  async #unused(inUse: IptablesRules, at: number, signal: AbortSignal): Promise<IptablesRules> {
    const unused = (await inUse.variant(signal)) === 'nft' ? this.#variants.legacy[at] : this.#variants.nft[at]
    if (unused === undefined) throw new TypeError('a family without rules')
    return unused
  }

  #parts(kind: FirewallKind, rules: readonly FamilyRules[]): readonly Part[] {
    if (kind === 'nftables') return [this.#nftablesPart(rules)]
    return this.#iptablesParts(rules, 'always')
  }

  /** In iptables' FORWARD others may drop what nftables has accepted: an accept ends the one table, a drop all of them. */
  #otherParts(kind: FirewallKind, rules: readonly FamilyRules[]): readonly Part[] {
    if (kind === 'iptables') return [this.#nftablesPart(NO_RULES)]
    const forwardOnly = rules.map((family) => ({ ...family, postrouting: [] }))
    return this.#iptablesParts(forwardOnly, 'restricted')
  }

  #nftablesPart(rules: readonly FamilyRules[]): Part {
    const sync = async (signal: AbortSignal): Promise<Synced> => ({
      ...{ changed: await this.#nftables.sync(rules, signal), problems: [], stands: true },
    })
    return { name: 'nftables', isWanted: rules.some(hasRules), sync }
  }

  #iptablesParts(rules: readonly FamilyRules[], forwardWhen: 'always' | 'restricted'): readonly Part[] {
    return this.#iptables.flatMap((tables, at) => {
      const family = rules[at]
      if (family === undefined) return []
      const sync = (signal: AbortSignal): Promise<Synced> => tables.sync(family, forwardWhen, signal)
      return [{ name: `iptables ${family.family}`, isWanted: hasRules(family), sync }]
    })
  }

  async #syncParts(parts: readonly Part[], signal: AbortSignal): Promise<FirewallReport> {
    const changed: string[] = []
    const problems: FirewallError[] = []
    let stands = true
    let lacking: string | undefined
    for (const part of parts) {
      if (!part.isWanted && this.#empty.has(part.name)) continue
      this.#empty.delete(part.name)
      try {
        const synced = await part.sync(signal)
        changed.push(...synced.changed)
        problems.push(...synced.problems)
        lacking ??= synced.lacksRandomFully
        if (part.isWanted && !synced.stands) stands = false
        if (!part.isWanted && synced.problems.length === 0) this.#empty.add(part.name)
      } catch (error) {
        if (!(error instanceof FirewallError)) throw error
        // Where the program is missing there is nothing to remove.
        if (!part.isWanted && error.code === 'MISSING') this.#empty.add(part.name)
        else {
          problems.push(error)
          if (part.isWanted) stands = false
        }
      }
    }
    const lacks = lacking === undefined ? {} : { lacksRandomFully: lacking }
    return { changed, stands, problems: distinct(problems), ...lacks }
  }

  async #listNftables(signal: AbortSignal): Promise<FirewallListing> {
    const tables = await this.#nftables.read(signal)
    const name = (family: Family): string => `nftables table ${NFT_TABLES[family].family} ${NFT_TABLES[family].name}`
    return { standing: [...tables.keys()].map(name), problems: [] }
  }
}
