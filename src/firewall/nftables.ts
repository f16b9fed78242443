import type { Family } from '../net/ip.ts'
import { FirewallError } from '../kernel/firewall.ts'
import type { RunTool } from './command.ts'
import { listAt, objectAt, textAt } from './json.ts'
import { NFT_TABLES } from './names.ts'
import { readNftTables, type NftTables } from './nft-read.ts'
import { nftInput, nftRemove, nftReplace, nftText } from './nft-render.ts'
import { FAMILIES, type FamilyRules } from './rules.ts'

const TOOL = 'nft'

/** Our two tables of nftables, by way of nft(8) and its JSON. */
export class NftablesRules {
  readonly #run: RunTool
  /** Tables that stood when all were last looked for. */
  #known: readonly Family[] = []
  /**
   * Tables as nft repeated them right after they were written, where that is in words of its own: another version may describe a rule
   * in a way that we cannot read, and must not be written to for ever because of that.
   */
  readonly #ownWords = new Map<Family, { readonly wanted: string; readonly standing: string }>()

  constructor(run: RunTool) {
    this.#run = run
  }

  /** Makes both tables hold these rules, in one transaction. @returns which were changed @throws {FirewallError} */
  async sync(rules: readonly FamilyRules[], signal: AbortSignal): Promise<readonly string[]> {
    const standing = await this.#readWanted(rules, signal)
    const wrong = rules.filter((family) => !this.#isRight(family, standing))
    if (wrong.length === 0) return []
    await this.#write(wrong.flatMap(nftReplaceOrRemove), signal)
    const written = await this.read(signal)
    for (const family of wrong) this.#learn(family, written)
    return wrong.map(({ family }) => `nftables table ${NFT_TABLES[family].family} ${NFT_TABLES[family].name}`)
  }

  /** @throws {FirewallError} */
  async read(signal: AbortSignal): Promise<NftTables> {
    const tables = await this.#list(await this.#standing(signal), signal)
    this.#known = [...tables.keys()]
    return tables
  }

  /** Where every wanted table stood at the last look, one question does; it fails when a table is gone. */
  async #readWanted(rules: readonly FamilyRules[], signal: AbortSignal): Promise<NftTables> {
    const wanted = rules.filter((family) => nftText(family) !== '')
    if (wanted.length > 0 && wanted.every(({ family }) => this.#known.includes(family)))
      try {
        return await this.#list(this.#known, signal)
      } catch (error) {
        if (!(error instanceof FirewallError) || error.code !== 'REFUSED') throw error
      }
    return this.read(signal)
  }

  async #list(families: readonly Family[], signal: AbortSignal): Promise<NftTables> {
    // One by one: nft 1.0.6 does not find the first of two tables of different families that are asked for together.
    const outputs: string[] = []
    for (const of of families) {
      const { family, name } = NFT_TABLES[of]
      outputs.push(await this.#run(TOOL, ['-j', 'list', 'table', family, name], '', signal))
    }
    return parsed(outputs.join('\n'), readNftTables)
  }

  async #standing(signal: AbortSignal): Promise<readonly Family[]> {
    const tables = parsed(await this.#tables(signal), (text) => listAt(JSON.parse(text), 'nftables'))
    return FAMILIES.filter((family) =>
      tables.some((object) => {
        const table = objectAt(object, 'table')
        const { family: protocol, name } = NFT_TABLES[family]
        return textAt(table, 'family') === protocol && textAt(table, 'name') === name
      }),
    )
  }

  async #tables(signal: AbortSignal): Promise<string> {
    try {
      return await this.#run(TOOL, ['-j', 'list', 'tables'], '', signal)
    } catch (error) {
      if (!(error instanceof FirewallError) || error.code !== 'REFUSED') throw error
      await this.#run(TOOL, ['list', 'tables'], '', signal)
      throw noJson(error)
    }
  }

  async #write(commands: readonly object[], signal: AbortSignal): Promise<void> {
    // As an argument: nft opens /dev/stdin by name for JSON, which fails where it is a socket, as Node's pipes are.
    await this.#run(TOOL, ['-j', nftInput(commands)], '', signal)
  }

  #isRight(rules: FamilyRules, tables: NftTables): boolean {
    const wanted = nftText(rules)
    const standing = tables.get(rules.family)
    if (wanted === '') return standing === undefined
    const words = this.#ownWords.get(rules.family)
    return standing === wanted || (words?.wanted === wanted && words.standing === standing)
  }

  #learn(rules: FamilyRules, tables: NftTables): void {
    const wanted = nftText(rules)
    const standing = tables.get(rules.family)
    const isWhole = standing?.split('\n').length === wanted.split('\n').length
    if (standing !== undefined && isWhole) this.#ownWords.set(rules.family, { wanted, standing })
  }
}

const nftReplaceOrRemove = (rules: FamilyRules): readonly object[] =>
  nftText(rules) === '' ? nftRemove(rules.family) : nftReplace(rules)

function parsed<T>(text: string, parse: (text: string) => T): T {
  try {
    return parse(text)
  } catch {
    throw new FirewallError(TOOL, 'UNREADABLE', `nft -j printed what is not JSON: ${text.slice(0, 200)}`)
  }
}

const noJson = (error: FirewallError): FirewallError =>
  new FirewallError(
    TOOL,
    'NO_JSON',
    `this nft was built without JSON, which the agent needs (${error.message}): install your distribution's nftables, or set EnableNFTables to false`,
  )
