import { addressBits, parseIp, type Family } from '../net/ip.ts'
import { hostPrefix, prefixOf, type Prefix } from '../net/prefix.ts'
import { isObject, type JsonObject } from '../config/json.ts'
import { listAt, objectAt, textAt } from './json.ts'
import { NFT_TABLES } from './names.ts'
import { chainText, ruleLine } from './nft-render.ts'
import { FAMILIES, ruleText, type Rule, type Side, type RuleVerdict } from './rules.ts'

/** Our tables as they stand, in the words of `nftText`; a family without a table is not in it. */
export type NftTables = ReadonlyMap<Family, string>

/**
 * Reads what `nft -j list table …` prints, one document per line. Whatever is not known to this version is kept as a line of its own,
 * so that a table with more in it than it should have is not taken for ours unchanged.
 * @throws {SyntaxError} when it is not JSON
 */
export function readNftTables(output: string): NftTables {
  const objects = output
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line): readonly unknown[] => listAt(JSON.parse(line), 'nftables'))
    .filter(isObject)
  return new Map(
    FAMILIES.flatMap((family) => {
      const { name, family: protocol } = NFT_TABLES[family]
      const isThere = objects.some((object) => {
        const table = objectAt(object, 'table')
        return textAt(table, 'name') === name && textAt(table, 'family') === protocol
      })
      const lines = objects.flatMap((object) => lineOf(object, family))
      return isThere ? [[family, inChains(lines)] as const] : []
    }),
  )
}

interface Line {
  readonly chain: string
  readonly isChain: boolean
  readonly text: string
}

/** nft prints chains first and the rules of all of them after: each rule is put below its chain. */
function inChains(lines: readonly Line[]): string {
  const chains = lines.filter(({ isChain }) => isChain).map(({ chain }) => chain)
  const position = ({ chain }: Line): number => (chains.includes(chain) ? chains.indexOf(chain) : chains.length)
  return [...lines]
    .sort((a, b) => position(a) - position(b) || Number(b.isChain) - Number(a.isChain))
    .map(({ text }) => text)
    .join('\n')
}

function lineOf(object: JsonObject, family: Family): readonly Line[] {
  const [kind = ''] = Object.keys(object)
  const content = objectAt(object, kind)
  const { name, family: protocol } = NFT_TABLES[family]
  if (textAt(content, 'table') !== name || textAt(content, 'family') !== protocol) return []
  if (kind === 'chain') {
    const chain = textAt(content, 'name')
    const [type, hook, policy] = [textAt(content, 'type'), textAt(content, 'hook'), textAt(content, 'policy')]
    const text = chainText({ name: chain, type, hook, prio: Number(textAt(content, 'prio')), policy })
    return [{ chain, isChain: true, text }]
  }
  const chain = textAt(content, 'chain')
  const rule = kind === 'rule' ? ruleOf(listAt(content, 'expr'), family) : undefined
  const text = ruleLine(chain, rule === undefined ? `unknown ${unknownText(content)}` : ruleText(rule))
  return [{ chain, isChain: false, text }]
}

/** Handles change with every write, and say nothing of what a rule does. */
function unknownText(content: JsonObject | undefined): string {
  return JSON.stringify(content, (key, value: unknown) => (key === 'handle' ? undefined : value))
}

/** What a rule does, in the model of our own; undefined for whatever we would not have written. */
export function ruleOf(expressions: readonly unknown[], family: Family): Rule | undefined {
  let rule: Omit<Rule, 'verdict'> = {}
  let verdict: RuleVerdict | undefined
  for (const expression of expressions) {
    if (verdict !== undefined) return undefined
    const match = objectAt(expression, 'match')
    if (match === undefined) {
      verdict = isObject(expression) ? verdictOf(expression) : undefined
      if (verdict === undefined) return undefined
    } else {
      const more = matchOf(match, family)
      if (more === undefined || Object.keys(more).some((key) => Object.hasOwn(rule, key))) return undefined
      rule = { ...rule, ...more }
    }
  }
  return verdict === undefined ? undefined : { ...rule, verdict }
}

function verdictOf(expression: JsonObject): RuleVerdict | undefined {
  const [name = ''] = Object.keys(expression)
  if (name === 'return' || name === 'accept') return name
  if (name !== 'masquerade') return undefined
  const options = expression[name]
  if (options === null) return 'masquerade'
  const flags = isObject(options) && Object.keys(options).length === 1 ? [options['flags']].flat() : []
  return flags.length === 1 && flags[0] === 'fully-random' ? 'masquerade-random' : undefined
}

function matchOf(match: JsonObject, family: Family): Omit<Rule, 'verdict'> | undefined {
  const operator = textAt(match, 'op')
  if (operator !== '==' && operator !== '!=') return undefined
  const payload = objectAt(objectAt(match, 'left'), 'payload')
  const network = networkOf(match['right'], family)
  if (payload !== undefined) {
    if (network === undefined || textAt(payload, 'protocol') !== NFT_TABLES[family].family) return undefined
    const side: Side = { network, negated: operator === '!=' }
    const field = textAt(payload, 'field')
    return field === 'saddr' ? { source: side } : field === 'daddr' ? { destination: side } : undefined
  }
  const [of, mask] = listAt(match['left'], '&')
  const isMark = textAt(objectAt(of, 'meta'), 'key') === 'mark' && operator === '=='
  const value = match['right']
  return isMark && typeof mask === 'number' && typeof value === 'number' ? { mark: { value, mask } } : undefined
}

function networkOf(value: unknown, family: Family): Prefix | undefined {
  const range = objectAt(value, 'prefix')
  const address = parseIp(range === undefined ? (typeof value === 'string' ? value : '') : textAt(range, 'addr'))
  if (address?.family !== family) return undefined
  if (range === undefined) return hostPrefix(address)
  const length = Number(textAt(range, 'len') || Number.NaN)
  const isLength = Number.isInteger(length) && length >= 0 && length <= addressBits(family)
  return isLength ? prefixOf(address, length) : undefined
}
