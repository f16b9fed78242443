import { FirewallError } from '../kernel/firewall.ts'
import type { Family } from '../net/ip.ts'
import type { RunTool } from './command.ts'
import { distrusted, stateFromNft, verified } from './iptables-nft-read.ts'
import { readChain, readNotes, type ChainState, type IptablesVariant } from './iptables-read.ts'
import { FORWARD_CHAIN, NFT_TABLES, POSTROUTING_CHAIN, type OwnChain } from './names.ts'
import { readNftChains, type NftChain } from './nft-chains.ts'

/** What could be read of one of our chains and its built-in chain; one of the two is there. */
export interface TableReading {
  readonly state?: ChainState
  readonly error?: FirewallError
}

/** Both tables of one family. */
export interface Standing {
  readonly nat: TableReading
  readonly filter: TableReading
  /** Whether it is known of all rules in FORWARD what they are for. */
  readonly isVerified: boolean
}

const NO_STATE: ChainState = { rules: undefined, builtin: [], policy: undefined, holders: [] }

/** What cannot be read counts as nothing; that it could not be read is a problem of its own. */
export const stateOf = ({ state }: TableReading): ChainState => state ?? NO_STATE

export const problemsOf = ({ nat, filter }: Standing): readonly FirewallError[] =>
  [nat, filter].flatMap(({ error }) => error ?? [])

/** How often a table is read that changes while it is. */
const ATTEMPTS = 3

/**
 * Reads our chains and what stands around them, by way of iptables-save(8). Where iptables is its nft variant, others write rules with nft
 * that it has no words for: it leaves out their conditions, or the whole table. Then nft is asked.
 */
export class IptablesReader {
  readonly #family: Family
  readonly #tool: string
  readonly #run: RunTool
  #variant: IptablesVariant | undefined

  constructor(family: Family, tool: string, run: RunTool) {
    this.#family = family
    this.#tool = tool
    this.#run = run
  }

  /** Whether what was read last stands on nftables. */
  get isOnNft(): boolean {
    return this.#variant === 'nft'
  }

  /** @throws {FirewallError} when iptables-save fails */
  async read(signal: AbortSignal): Promise<Standing> {
    // All tables, not one: to ask a legacy iptables for a table is to make it.
    const output = await this.#run(`${this.#tool}-save`, [], '', signal)
    const { variant, unreadable } = readNotes(output)
    this.#variant = variant ?? this.#variant
    const table = (own: OwnChain): Promise<TableReading> =>
      unreadable.has(own.table) ? this.#askNft(own, signal) : Promise.resolve({ state: readChain(output, own) })
    return {
      nat: await table(POSTROUTING_CHAIN),
      filter: await table(FORWARD_CHAIN),
      isVerified: this.#variant !== 'nft' || unreadable.has(FORWARD_CHAIN.table),
    }
  }

  /** Which of the two it is. @throws {FirewallError} */
  async variant(signal: AbortSignal): Promise<IptablesVariant> {
    if (this.#variant !== undefined) return this.#variant
    const answer = await this.#run(`${this.#tool}-save`, ['--version'], '', signal)
    this.#variant = answer.includes('nf_tables') ? 'nft' : 'legacy'
    return this.#variant
  }

  /** Finds out of the rules in FORWARD what iptables-save may have left out. @throws {FirewallError} */
  async verify(standing: Standing, signal: AbortSignal): Promise<Standing> {
    if (standing.isVerified || standing.filter.state?.policy === undefined) return standing
    let { filter, nat } = standing
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const chains = await this.#readNft(FORWARD_CHAIN, signal)
      const { state } = filter
      if (state === undefined) return { nat, filter, isVerified: true }
      if (chains instanceof FirewallError) return { nat, filter: { state: distrusted(state) }, isVerified: false }
      const forward = chains.find(({ name, hook }) => name === FORWARD_CHAIN.builtin && hook !== '')
      const sure = verified(state, forward)
      if (sure !== undefined) return { nat, filter: { state: sure }, isVerified: true }
      ;({ filter, nat } = await this.read(signal))
    }
    throw new FirewallError(
      this.#tool,
      'UNREADABLE',
      `${this.#tool}: its FORWARD changes all the time, or nft and iptables do not agree on it`,
    )
  }

  async #askNft(own: OwnChain, signal: AbortSignal): Promise<TableReading> {
    const chains = await this.#readNft(own, signal)
    if (!(chains instanceof FirewallError)) return { state: stateFromNft(chains, own, this.#family) }
    const { family } = NFT_TABLES[this.#family]
    const nft = chains.code === 'MISSING' ? 'there is no nft' : chains.message
    const message =
      `${this.#tool}: rules written with nft stand in table ${family} ${own.table}, which iptables cannot read, and nft neither ` +
      `(${nft}); nothing is written there. Cure: install nftables, or move those rules to a table of their own`
    return { error: new FirewallError(this.#tool, 'UNREADABLE', message) }
  }

  async #readNft({ table }: OwnChain, signal: AbortSignal): Promise<readonly NftChain[] | FirewallError> {
    try {
      const { family } = NFT_TABLES[this.#family]
      const output = await this.#run('nft', ['-j', 'list', 'table', family, table], '', signal)
      return readNftChains(output)
    } catch (error) {
      if (error instanceof FirewallError) return error
      if (!(error instanceof SyntaxError)) throw error
      return new FirewallError('nft', 'UNREADABLE', `nft -j printed what is not JSON: ${error.message}`)
    }
  }
}
