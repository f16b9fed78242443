import type { Family } from '../net/ip.ts'
import type { RunTool } from './command.ts'
import { readChain, type ChainState } from './iptables-read.ts'
import { isRestricted, renderChain } from './iptables-render.ts'
import { FORWARD_CHAIN, POSTROUTING_CHAIN, type OwnChain } from './names.ts'
import type { FamilyRules, Rule } from './rules.ts'

const TOOLS: Readonly<Record<Family, 'iptables' | 'ip6tables'>> = { 4: 'iptables', 6: 'ip6tables' }

/** Seconds to wait for whoever else is writing (iptables-restore(8), `--wait`). */
const LOCK_SECONDS = 5

interface Standing {
  readonly nat: ChainState
  readonly filter: ChainState
}

/** Our chains of one family in iptables, by way of iptables-save(8) and iptables-restore(8), whichever variant they are. */
export class IptablesRules {
  readonly #run: RunTool
  readonly #tool: string
  /** What would still have to be written right after writing: this version of iptables describes a rule in words of its own. */
  #futile = ''

  constructor(family: Family, run: RunTool) {
    this.#run = run
    this.#tool = TOOLS[family]
  }

  /**
   * Makes our chains hold these rules, each table in one transaction.
   * @param forwardWhen `restricted`: forward rules only where others drop, or may drop, what is forwarded
   * @returns what was changed @throws {FirewallError}
   */
  async sync(
    rules: FamilyRules,
    forwardWhen: 'always' | 'restricted',
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const missing = (standing: Standing): readonly (readonly string[])[] => {
      const isForward = forwardWhen === 'always' || isRestricted(standing.filter)
      return [
        renderChain(POSTROUTING_CHAIN, rules.postrouting, standing.nat),
        renderChain(FORWARD_CHAIN, isForward ? rules.forward : [], standing.filter),
      ]
    }
    const [nat = [], filter = []] = missing(await this.#read(signal))
    const input = asInput([nat, filter])
    if (input === '' || input === this.#futile) return []
    await this.#run(`${this.#tool}-restore`, ['--noflush', '--wait', `${LOCK_SECONDS}`], input, signal)
    const after = await this.#read(signal)
    this.#futile = isWhole(rules, after) ? asInput(missing(after)) : ''
    return [
      ...(nat.length > 0 ? [`${this.#tool} ${POSTROUTING_CHAIN.name}`] : []),
      ...(filter.length > 0 ? [`${this.#tool} ${FORWARD_CHAIN.name}`] : []),
    ]
  }

  /** What of ours stands, one line each. @throws {FirewallError} */
  async list(signal: AbortSignal): Promise<readonly string[]> {
    const { nat, filter } = await this.#read(signal)
    return [...this.#listChain(POSTROUTING_CHAIN, nat), ...this.#listChain(FORWARD_CHAIN, filter)]
  }

  #listChain({ table, builtin, name }: OwnChain, { rules, builtin: inBuiltin }: ChainState): readonly string[] {
    const ours = inBuiltin.filter(({ isOurs }) => isOurs)
    return [
      ...ours.map(({ line }) => `${this.#tool} rule in ${table} ${builtin}: ${line}`),
      ...(rules === undefined ? [] : [`${this.#tool} chain ${table} ${name} (rules: ${rules.length})`]),
    ]
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

/** Whether as many rules stand as were written, each chain with its jump: what differs then is a matter of words. */
function isWhole({ postrouting, forward }: FamilyRules, { nat, filter }: Standing): boolean {
  const has = (rules: readonly Rule[], { rules: standing, builtin }: ChainState): boolean =>
    rules.length === 0 || (standing?.length === rules.length && builtin.some(({ isOurs }) => isOurs))
  return has(postrouting, nat) && has(forward, filter)
}
