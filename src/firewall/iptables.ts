import type { Family } from '../net/ip.ts'
import { FirewallError, type FirewallListing } from '../kernel/firewall.ts'
import type { RunTool } from './command.ts'
import { readChain, type ChainState } from './iptables-read.ts'
import { isRestricted, renderChain } from './iptables-plan.ts'
import { FORWARD_CHAIN, POSTROUTING_CHAIN, type OwnChain } from './names.ts'
import type { FamilyRules, Rule } from './rules.ts'

const TOOLS: Readonly<Record<Family, 'iptables' | 'ip6tables'>> = { 4: 'iptables', 6: 'ip6tables' }

/** Seconds to wait for whoever else is writing (iptables-restore(8), `--wait`). */
const LOCK_SECONDS = 5

interface Standing {
  readonly nat: ChainState
  readonly filter: ChainState
}

/** What came of one look. */
export interface Synced {
  /** What was not as it should be, and is now. */
  readonly changed: readonly string[]
  /** What has to stay although it should go. */
  readonly problems: readonly FirewallError[]
}

const NOTHING = { postrouting: [], forward: [] } as const

/** Our chains of one family in iptables, by way of iptables-save(8) and iptables-restore(8), whichever variant they are. */
export class IptablesRules {
  readonly #run: RunTool
  readonly #tool: string
  /**
   * What would still have to be written right after writing, and to what: this version of iptables describes a rule in words of its own.
   */
  #futile = ''

  constructor(family: Family, run: RunTool) {
    this.#run = run
    this.#tool = TOOLS[family]
  }

  /**
   * Makes our chains hold these rules, each table in one transaction.
   * @param forwardWhen `restricted`: forward rules only where others drop, or may drop, what is forwarded
   * @throws {FirewallError} when nothing could be done
   */
  async sync(rules: FamilyRules, forwardWhen: 'always' | 'restricted', signal: AbortSignal): Promise<Synced> {
    const wantedOn = ({ filter }: Standing): FamilyRules =>
      forwardWhen === 'always' || isRestricted(filter) ? rules : { ...rules, forward: [] }
    const missing = (standing: Standing): readonly (readonly string[])[] => {
      const { postrouting, forward } = wantedOn(standing)
      return [
        renderChain(POSTROUTING_CHAIN, postrouting, standing.nat),
        renderChain(FORWARD_CHAIN, forward, standing.filter),
      ]
    }
    const before = await this.#read(signal)
    const [nat = [], filter = []] = missing(before)
    const input = asInput([nat, filter])
    if (input === '' || onTopOf(before, input) === this.#futile)
      return { changed: [], problems: this.#held(wantedOn(before), before) }
    await this.#run(`${this.#tool}-restore`, ['--noflush', '--wait', `${LOCK_SECONDS}`], input, signal)
    const after = await this.#read(signal)
    this.#futile = isWhole(rules, after) ? onTopOf(after, asInput(missing(after))) : ''
    return {
      changed: [
        ...(nat.length > 0 ? [`${this.#tool} ${POSTROUTING_CHAIN.name}`] : []),
        ...(filter.length > 0 ? [`${this.#tool} ${FORWARD_CHAIN.name}`] : []),
      ],
      problems: this.#held(wantedOn(after), after),
    }
  }

  /** What of ours stands, one line each, and what of it can only be emptied. @throws {FirewallError} */
  async list(signal: AbortSignal): Promise<FirewallListing> {
    const standing = await this.#read(signal)
    return {
      standing: [
        ...this.#listChain(POSTROUTING_CHAIN, standing.nat),
        ...this.#listChain(FORWARD_CHAIN, standing.filter),
      ],
      problems: this.#held(NOTHING, standing),
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
  #held(
    { postrouting, forward }: Pick<FamilyRules, 'postrouting' | 'forward'>,
    standing: Standing,
  ): readonly FirewallError[] {
    return [
      ...(postrouting.length > 0 ? [] : this.#heldChain(POSTROUTING_CHAIN, standing.nat)),
      ...(forward.length > 0 ? [] : this.#heldChain(FORWARD_CHAIN, standing.filter)),
    ]
  }

  #heldChain({ table, name }: OwnChain, { rules, holders }: ChainState): readonly FirewallError[] {
    if (rules === undefined || holders.length === 0) return []
    const what = `${this.#tool} chain ${table} ${name} can be emptied but not removed`
    return [new FirewallError(this.#tool, 'HELD', `${what} while other rules lead to it: ${holders.join('; ')}`)]
  }

  async #read(signal: AbortSignal): Promise<Standing> {
    // All tables, not one: to ask a legacy iptables for a table is to make it.
    const output = await this.#run(`${this.#tool}-save`, [], '', signal)
    return { nat: readChain(output, POSTROUTING_CHAIN), filter: readChain(output, FORWARD_CHAIN) }
  }
}

const asInput = (tables: readonly (readonly string[])[]): string =>
  tables
    .flat()
    .map((line) => `${line}\n`)
    .join('')

/** What is to be written, with the rules of ours that stand: somebody may have emptied our chain since. */
const onTopOf = ({ nat, filter }: Standing, input: string): string => JSON.stringify([input, nat.rules, filter.rules])

/** Whether as many rules stand as were written, each chain with its jump: what differs then is a matter of words. */
function isWhole({ postrouting, forward }: FamilyRules, { nat, filter }: Standing): boolean {
  const has = (rules: readonly Rule[], { rules: standing, builtin }: ChainState): boolean =>
    rules.length === 0 || (standing?.length === rules.length && builtin.some(({ isOurs }) => isOurs))
  return has(postrouting, nat) && has(forward, filter)
}
