import { readFile } from 'node:fs/promises'
import { FirewallError } from '../../kernel/firewall.ts'
import type {
  ForeignRules,
  ForeignVerdicts,
  MixedVariants,
  OverlayPath,
  TunnelEnd,
} from '../../kernel/foreign-rules.ts'
import type { Family } from '../../net/ip.ts'
import { runTool, type RunTool } from '../command.ts'
import { readNotes } from '../iptables-read.ts'
import { readNftChains, type NftChain } from '../nft-chains.ts'
import { readSavedTables } from './iptables-tables.ts'
import { judge } from './judge.ts'
import { withWordsOf } from './merge.ts'
import { mixOf } from './mixed.ts'
import { AT_DEVICES, devicesOf } from './nft-devices.ts'
import { elementsOf, portSetsIn, withElements } from './nft-sets.ts'
import { tableFromNft } from './nft-tables.ts'
import type { ForeignTable } from './rule-set.ts'

/**
 * What a program may print, in bytes: 3 000 rules of nft's JSON, 12 000 lines of iptables. What prints more is not judged: reading it
 * would cost memory, some 30 bytes for each.
 */
const MOST_BYTES = 1 << 20
/**
 * Of a table with more chains than this (kube-proxy makes one for each service), or that prints too much, only those are read through
 * which packets go by themselves; where they lead to is not known.
 */
const MOST_CHAINS = 400
/** Sets of ports that are read of a table: each takes a program. */
const MOST_SETS = 16

const HOOKS: readonly string[] = ['prerouting', 'input', 'forward', 'output', 'postrouting', ...AT_DEVICES]
/** Tables whose chains see packets of both families. */
const ANY_FAMILY = ['inet', 'netdev'] as const
const NONE: ReadonlyMap<string, readonly string[]> = new Map()
const SAVE = { 4: 'iptables-save', 6: 'ip6tables-save' } as const
const LEGACY_SAVE = { 4: 'iptables-legacy-save', 6: 'ip6tables-legacy-save' } as const
/** The tables that the legacy variant has made in this network namespace, a name a line: none, where nobody has. */
const LEGACY_TABLES = { 4: '/proc/self/net/ip_tables_names', 6: '/proc/self/net/ip6_tables_names' } as const

/**
 * Reads everybody's rules, by nft where they are nft's and by iptables where they are its own, and judges them. Nothing is asked that
 * would make a table, or load a module.
 */
export class LinuxForeignRules implements ForeignRules {
  readonly #run: RunTool
  readonly #readText: (path: string) => Promise<string>

  constructor(run: RunTool = runTool, readText = (path: string) => readFile(path, 'utf8')) {
    this.#run = run
    this.#readText = readText
  }

  async judge(
    paths: readonly OverlayPath[],
    tunnels: readonly TunnelEnd[],
    signal: AbortSignal,
  ): Promise<ForeignVerdicts | undefined> {
    try {
      return await this.judgeOrSay(paths, tunnels, signal)
    } catch (error) {
      if (error instanceof FirewallError || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  /** The same for whoever is to be told why. @throws {FirewallError | SyntaxError} where the rules cannot be read */
  async judgeOrSay(
    paths: readonly OverlayPath[],
    tunnels: readonly TunnelEnd[],
    signal: AbortSignal,
  ): Promise<ForeignVerdicts> {
    const families = [...new Set([...paths, ...tunnels].map(({ family }) => family))]
    const { tables, mixed } = await this.#readTables(families, signal)
    const verdicts = judge(tables, paths, tunnels)
    return mixed.length === 0 ? verdicts : { ...verdicts, mixed }
  }

  /** @throws {FirewallError | SyntaxError} */
  async #readTables(families: readonly Family[], signal: AbortSignal): Promise<Tables> {
    const ofNft = await this.#nftTables(families, signal)
    const tables: ForeignTable[] = []
    const mixed: MixedVariants[] = []
    for (const family of families) {
      const saved = await this.#savedTables(SAVE[family], family, signal)
      const protocol = family === 4 ? 'ip' : 'ip6'
      const isSame = saved.variant === 'nft'
      const inWords = (table: ForeignTable): ForeignTable =>
        isSame ? withWordsOf(table, byName(saved.tables, table.name)) : table
      tables.push(...(ofNft.get(protocol) ?? []).map(inWords))
      if (!isSame || ofNft.size === 0) tables.push(...saved.tables)
      const isLegacy = saved.variant === 'legacy'
      const hasLegacy = !isLegacy && (await this.#hasLegacyTables(family))
      const others = hasLegacy ? (await this.#savedTables(LEGACY_SAVE[family], family, signal)).tables : []
      tables.push(...others)
      const legacy = isLegacy ? saved.tables : others
      mixed.push(...mixOf({ family, used: isLegacy ? 'legacy' : 'nft', nft: ofNft.get(protocol) ?? [], legacy }))
    }
    return { tables: [...tables, ...ANY_FAMILY.flatMap((family) => ofNft.get(family) ?? [])], mixed }
  }

  /** By their family, as nft calls it; empty where there is no nft. */
  async #nftTables(families: readonly Family[], signal: AbortSignal): Promise<ReadonlyMap<string, ForeignTable[]>> {
    const chains = await this.#listChains(signal)
    const wanted = new Map<string, ForeignTable[]>()
    if (chains === undefined) return wanted
    const protocols: readonly string[] = [...ANY_FAMILY, ...families.map((family) => (family === 4 ? 'ip' : 'ip6'))]
    for (const protocol of protocols) wanted.set(protocol, [])
    for (const [family, table, all] of tablesOf(chains)) {
      if (!protocols.includes(family) || !all.some(isEntered)) continue
      const listed = await this.#listTable(family, table, all, signal)
      const chains = withElements(listed, await this.#portSets(family, table, listed, signal))
      const devices = all.some(({ hook }) => AT_DEVICES.has(hook)) ? await this.#devicesIn(family, table, signal) : NONE
      wanted.get(family)?.push(tableFromNft(family, table, chains, devices))
    }
    return wanted
  }

  async #listChains(signal: AbortSignal): Promise<readonly NftChain[] | undefined> {
    try {
      return readNftChains(await this.#nft(['list', 'chains'], signal))
    } catch (error) {
      if (error instanceof FirewallError && error.code === 'MISSING') return undefined
      throw error
    }
  }

  /** At which its chains stand, by the names of these. */
  async #devicesIn(
    family: string,
    table: string,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, readonly string[]>> {
    const listing = this.#run('nft', ['-t', 'list', 'table', family, table], '', signal, MOST_BYTES)
    return devicesOf((await this.#unlessTooLong(listing)) ?? '')
  }

  async #listTable(
    family: string,
    table: string,
    chains: readonly NftChain[],
    signal: AbortSignal,
  ): Promise<readonly NftChain[]> {
    if (chains.length <= MOST_CHAINS) {
      const whole = await this.#unlessTooLong(this.#nft(['list', 'table', family, table], signal))
      if (whole !== undefined) return readNftChains(whole)
    }
    const read: NftChain[] = []
    for (const { name } of chains.filter(isEntered)) {
      const output = await this.#unlessTooLong(this.#nft(['list', 'chain', family, table, name], signal))
      if (output !== undefined) read.push(...readNftChains(output))
    }
    return read
  }

  /** What is in the sets of ports that rules ask about, by their names. One that goes meanwhile is not known. */
  async #portSets(
    family: string,
    table: string,
    chains: readonly NftChain[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, readonly unknown[]>> {
    const known = new Map<string, readonly unknown[]>()
    for (const name of portSetsIn(chains).slice(0, MOST_SETS)) {
      const listing = this.#run('nft', ['-j', 'list', 'set', family, table, name], '', signal, MOST_BYTES)
      const output = await listing.catch((error: unknown) => {
        if (error instanceof FirewallError) return undefined
        throw error
      })
      const elements = output === undefined ? undefined : elementsOf(output)
      if (elements !== undefined) known.set(name, elements)
    }
    return known
  }

  async #unlessTooLong(output: Promise<string>): Promise<string | undefined> {
    try {
      return await output
    } catch (error) {
      if (error instanceof FirewallError && error.code === 'TOO_LONG') return undefined
      throw error
    }
  }

  /** Without the elements of sets (`-t`): there may be very many, and nothing is known of packets that would tell which they are in. */
  #nft(args: readonly string[], signal: AbortSignal): Promise<string> {
    return this.#run('nft', ['-j', '-t', ...args], '', signal, MOST_BYTES)
  }

  async #savedTables(tool: string, family: Family, signal: AbortSignal): Promise<Saved> {
    try {
      const output = await this.#unlessTooLong(this.#run(tool, [], '', signal, MOST_BYTES))
      // It cannot be told then whose it was: nft's words have to do, and legacy tables are not judged.
      if (output === undefined) return { variant: 'nft', tables: [] }
      const { variant, unreadable } = readNotes(output)
      const title = tool.replace('-save', '')
      const tables = readSavedTables(output, family, title).filter(({ name }) => !unreadable.has(name))
      return { variant, tables }
    } catch (error) {
      if (error instanceof FirewallError && error.code === 'MISSING') return { variant: undefined, tables: [] }
      throw error
    }
  }

  async #hasLegacyTables(family: Family): Promise<boolean> {
    const names = await this.#readText(LEGACY_TABLES[family]).catch(() => '')
    return names.trim() !== ''
  }
}

interface Tables {
  readonly tables: readonly ForeignTable[]
  readonly mixed: readonly MixedVariants[]
}

interface Saved {
  readonly variant: 'nft' | 'legacy' | undefined
  readonly tables: readonly ForeignTable[]
}

/** Packets go through it by themselves, and it is one that matters. */
const isEntered = ({ hook }: NftChain): boolean => HOOKS.includes(hook)

const byName = (tables: readonly ForeignTable[], name: string): ForeignTable | undefined =>
  tables.find((table) => table.name === name)

function tablesOf(chains: readonly NftChain[]): readonly (readonly [string, string, readonly NftChain[]])[] {
  const tables = new Map<string, [string, string, NftChain[]]>()
  for (const chain of chains) {
    const key = JSON.stringify([chain.family, chain.table])
    const [family, table, own] = tables.get(key) ?? [chain.family, chain.table, []]
    own.push(chain)
    tables.set(key, [family, table, own])
  }
  return [...tables.values()]
}
