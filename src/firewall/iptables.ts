import type { Family } from '../net/ip.ts'
import { FirewallError, type FirewallListing } from '../kernel/firewall.ts'
import type { RunTool } from './command.ts'
import type { ChainState, IptablesVariant } from './iptables-read.ts'
import { findBlock, isRestricted, renderChain } from './iptables-plan.ts'
import { IptablesReader, problemsOf, stateOf, type Standing } from './iptables-reader.ts'
import { IptablesWriter } from './iptables-writer.ts'
import { FORWARD_CHAIN, POSTROUTING_CHAIN, type OwnChain } from './names.ts'
import type { FamilyRules, Rule } from './rules.ts'

const TOOLS: Readonly<Record<Family, 'iptables' | 'ip6tables'>> = { 4: 'iptables', 6: 'ip6tables' }

/** What came of one look. */
export interface Synced {
  /** What was not as it should be, and is now. */
  readonly changed: readonly string[]
  /** What has to stay although it should go, and what could not be read or does not come to anything. */
  readonly problems: readonly FirewallError[]
  /** Whether all rules asked for stand. */
  readonly stands: boolean
  /** The version of iptables that knows no `--random-fully`, which was asked for: ports are not chosen at random. */
  readonly lacksRandomFully?: string | undefined
}

type Wanted = Pick<FamilyRules, 'postrouting' | 'forward'>

const NOTHING: Wanted = { postrouting: [], forward: [] }

/** What stands, what of the rules is wanted there, and what has to be written for that, table by table. */
interface Look {
  readonly standing: Standing
  readonly wanted: Wanted
  readonly nat: readonly string[]
  readonly filter: readonly string[]
}

/** Our chains of one family in iptables, by way of iptables-save(8) and iptables-restore(8). */
export class IptablesRules {
  readonly #tool: string
  readonly #reader: IptablesReader
  readonly #writer: IptablesWriter
  /**
   * What would still have to be written right after writing, and to what: this version of iptables describes a rule in words of its own.
   */
  #futile = ''

  /** @param variant names one of the two; undefined: whichever the host uses */
  constructor(family: Family, run: RunTool, variant?: IptablesVariant) {
    this.#tool = variant === undefined ? TOOLS[family] : `${TOOLS[family]}-${variant}`
    this.#reader = new IptablesReader(family, this.#tool, run)
    this.#writer = new IptablesWriter(this.#tool, run)
  }

  /** Whether what was read last stands on nftables. */
  get isOnNft(): boolean {
    return this.#reader.isOnNft
  }

  /** Which of the two the host uses. @throws {FirewallError} */
  variant(signal: AbortSignal): Promise<IptablesVariant> {
    return this.#reader.variant(signal)
  }

  /**
   * Makes our chains hold these rules, each table in one transaction. A table that cannot be read is not written to.
   * @param forwardWhen `restricted`: forward rules only where others drop, or may drop, what is forwarded
   * @throws {FirewallError} when nothing could be done
   */
  async sync(wanted: FamilyRules, forwardWhen: 'always' | 'restricted', signal: AbortSignal): Promise<Synced> {
    const synced = await this.#sync(this.#writer.expressible(wanted), forwardWhen, signal)
    // It turned out to be too old for all of what was wanted.
    return synced === undefined
      ? this.sync(wanted, forwardWhen, signal)
      : { ...synced, lacksRandomFully: this.#writer.lacksRandomFully(wanted) }
  }

  /** @returns undefined where the rules were more than this iptables knows */
  async #sync(
    rules: FamilyRules,
    forwardWhen: 'always' | 'restricted',
    signal: AbortSignal,
  ): Promise<Synced | undefined> {
    const before = await this.#look(rules, forwardWhen, signal)
    const input = asInput([before.nat, before.filter])
    if (input === '' || onTopOf(before.standing, input) === this.#futile) return this.#synced([], before)
    if (!(await this.#writer.write(input, signal))) return undefined
    const after = await this.#look(rules, forwardWhen, signal)
    const isWritten = isWhole(rules, after.standing)
    this.#futile = isWritten ? onTopOf(after.standing, asInput([after.nat, after.filter])) : ''
    const changed = [
      ...(before.nat.length > 0 ? [`${this.#tool} ${POSTROUTING_CHAIN.name}`] : []),
      ...(before.filter.length > 0 ? [`${this.#tool} ${FORWARD_CHAIN.name}`] : []),
    ]
    return this.#synced(changed, after)
  }

  /** What of ours stands, one line each, and what of it can only be emptied, or not be read. @throws {FirewallError} */
  async list(signal: AbortSignal): Promise<FirewallListing> {
    const standing = await this.#reader.read(signal)
    return {
      standing: [
        ...this.#listChain(POSTROUTING_CHAIN, stateOf(standing.nat)),
        ...this.#listChain(FORWARD_CHAIN, stateOf(standing.filter)),
      ],
      problems: [...problemsOf(standing), ...this.#held(NOTHING, standing)],
    }
  }

  async #look(rules: FamilyRules, forwardWhen: 'always' | 'restricted', signal: AbortSignal): Promise<Look> {
    const standing = await this.#reader.read(signal)
    const look = planned(standing, rules, forwardWhen)
    const isPlaced = look.filter.length > 0 && look.wanted.forward.length > 0
    // Where our jump goes hangs on what the rules of others are for, and iptables may have left that out.
    return isPlaced ? planned(await this.#reader.verify(standing, signal), rules, forwardWhen) : look
  }

  #synced(changed: readonly string[], { standing, wanted }: Look): Synced {
    const isUnreadable = (rules: readonly Rule[], { error }: Standing['nat']): boolean =>
      rules.length > 0 && error !== undefined
    return {
      changed,
      problems: [...problemsOf(standing), ...this.#held(wanted, standing), ...this.#blocked(wanted, standing)],
      stands: !isUnreadable(wanted.postrouting, standing.nat) && !isUnreadable(wanted.forward, standing.filter),
    }
  }

  #listChain(chain: OwnChain, { rules, holders, builtin }: ChainState): readonly string[] {
    const ours = builtin.filter(({ isOurs }) => isOurs)
    const jumps = ours.map(({ line }) => `${this.#tool} rule in ${chain.table} ${chain.builtin}: ${line}`)
    if (rules === undefined || (holders.length > 0 && rules.length === 0)) return jumps
    const what = holders.length > 0 ? 'content of chain' : 'chain'
    return [...jumps, `${this.#tool} ${what} ${chain.table} ${chain.name} (rules: ${rules.length})`]
  }

  /** Chains that should be gone, and cannot go. */
  #held({ postrouting, forward }: Wanted, { nat, filter }: Standing): readonly FirewallError[] {
    return [
      ...(postrouting.length > 0 ? [] : this.#heldChain(POSTROUTING_CHAIN, stateOf(nat))),
      ...(forward.length > 0 ? [] : this.#heldChain(FORWARD_CHAIN, stateOf(filter))),
    ]
  }

  #heldChain({ table, name }: OwnChain, { rules, holders }: ChainState): readonly FirewallError[] {
    if (rules === undefined || holders.length === 0) return []
    const what = `${this.#tool} chain ${table} ${name} can be emptied but not removed`
    return [new FirewallError(this.#tool, 'HELD', `${what} while other rules lead to it: ${holders.join('; ')}`)]
  }

  /** Our accept stands where it is not reached, and is not brought before that. */
  #blocked({ forward }: Wanted, { filter, isVerified }: Standing): readonly FirewallError[] {
    const block = forward.length > 0 ? findBlock(stateOf(filter)) : undefined
    if (block === undefined) return []
    const why = isVerified
      ? 'a rule that iptables has no words for stands behind it, and is not overtaken: put that one before it'
      : 'whether it is for all packets cannot be told without nft: install nftables'
    const message = `${this.#tool} FORWARD: "${block.line}" may drop what the overlay forwards; ${why}`
    return [new FirewallError(this.#tool, 'BLOCKED', message)]
  }
}

function planned(standing: Standing, rules: FamilyRules, forwardWhen: 'always' | 'restricted'): Look {
  const { nat, filter } = standing
  const isForwarding = forwardWhen === 'always' || isRestricted(stateOf(filter))
  const wanted: Wanted = isForwarding ? rules : { ...rules, forward: [] }
  const plan = (chain: OwnChain, of: readonly Rule[], { state }: Standing['nat']): readonly string[] =>
    state === undefined ? [] : renderChain(chain, of, state)
  return {
    ...{ standing, wanted },
    nat: plan(POSTROUTING_CHAIN, wanted.postrouting, nat),
    filter: plan(FORWARD_CHAIN, wanted.forward, filter),
  }
}

const asInput = (tables: readonly (readonly string[])[]): string =>
  tables
    .flat()
    .map((line) => `${line}\n`)
    .join('')

/** What is to be written, with the rules of ours that stand: somebody may have emptied our chain since. */
const onTopOf = ({ nat, filter }: Standing, input: string): string =>
  JSON.stringify([input, stateOf(nat).rules, stateOf(filter).rules])

/** Whether as many rules stand as were written, each chain with its jump: what differs then is a matter of words. */
function isWhole({ postrouting, forward }: FamilyRules, { nat, filter }: Standing): boolean {
  const has = (rules: readonly Rule[], { rules: standing, builtin }: ChainState): boolean =>
    rules.length === 0 || (standing?.length === rules.length && builtin.some(({ isOurs }) => isOurs))
  return has(postrouting, stateOf(nat)) && has(forward, stateOf(filter))
}
