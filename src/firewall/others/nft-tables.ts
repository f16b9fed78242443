import { isObject, type JsonObject } from '../../config/json.ts'
import { listAt, objectAt, textAt } from '../json.ts'
import type { NftChain, NftRule } from '../nft-chains.ts'
import { comparisonOf, matchCondition, networkOf } from './nft-conditions.ts'
import { chainOf, type ForeignChain, type ForeignRule, type ForeignTable, type Verdict } from './rule-set.ts'
import { targetVerdict } from './targets.ts'
import { maybe, type Condition, type Traffic } from './traffic.ts'

/** Statements that decide nothing and ask nothing. */
const HARMLESS: ReadonlySet<string> = new Set([
  'counter',
  'log',
  'mangle',
  'notrack',
  'ct helper',
  'flow',
  'set',
  'secmark',
])

/** Statements that let some packets go on only. */
const CONDITIONS: ReadonlySet<string> = new Set(['limit', 'quota', 'connlimit', 'ct count'])

/**
 * A table of nft's, with the chains that were listed of it.
 * @param devices at which chains stand, by the names of these
 */
export function tableFromNft(
  family: string,
  name: string,
  chains: readonly NftChain[],
  devices: ReadonlyMap<string, readonly string[]> = new Map(),
): ForeignTable {
  const own = chains
    .filter((chain) => chain.family === family && chain.table === name)
    .map((chain) => foreign(chain, devices.get(chain.name)))
  const title = `nftables ${family} ${name}`
  return { title, name, family, chains: new Map(own.map((chain) => [chain.name, chain])) }
}

const foreign = ({ name, hook, type, policy, rules }: NftChain, devices: readonly string[] | undefined): ForeignChain =>
  chainOf(
    { name, hook: hook || undefined, type: type || undefined, policy: policy === 'drop' ? 'drop' : 'accept', devices },
    () => rules.map(ruleOf),
  )

function ruleOf({ handle, expressions: all }: NftRule): ForeignRule {
  const known: Condition[] = []
  let opaque = 0
  let verdict: Verdict = { is: 'none' }
  const expressions = all.filter(isObject)
  for (const expression of expressions) {
    const [kind = ''] = Object.keys(expression)
    const content = expression[kind]
    if (kind === 'match') known.push(matchCondition(content))
    else if (kind === 'xt') {
      // An nft that does not say which prints null: it may be either.
      if (content === null || isModule(content)) opaque += textAt(content, 'name') === 'comment' ? 0 : 1
      if (!isModule(content)) verdict = content === null ? { is: 'unknown' } : targetVerdict(textAt(content, 'name'))
    } else if (CONDITIONS.has(kind)) known.push(maybe)
    else if (!HARMLESS.has(kind)) verdict = verdictOf(kind, expression)
  }
  const conditions = [...known, ...Array.from({ length: opaque }, () => maybe)]
  const isWhole = opaque === 0
  return {
    conditions,
    verdict,
    text: `handle ${handle}`,
    guarded: guardedBy(expressions),
    ...(isWhole ? {} : { known }),
  }
}

const VERDICTS: Readonly<Record<string, 'accept' | 'drop' | 'return' | 'none' | 'nat'>> = {
  accept: 'accept',
  drop: 'drop',
  reject: 'drop',
  return: 'return',
  continue: 'none',
  masquerade: 'nat',
  snat: 'nat',
}

/** A condition of iptables, and no target. */
const isModule = (xt: unknown): boolean => textAt(xt, 'type') === 'match'

function verdictOf(kind: string, statement: JsonObject): Verdict {
  const simple = VERDICTS[kind]
  if (simple !== undefined) return { is: simple }
  if (kind === 'jump' || kind === 'goto') return { is: kind, target: textAt(statement[kind], 'target') }
  if (kind === 'vmap') return mapVerdict(statement[kind])
  return { is: 'unknown' }
}

/** A verdict map whose elements stand in the rule, and whose key is known of the packets. */
function mapVerdict(map: unknown): Verdict {
  const compare = isObject(map) ? comparisonOf(map['key']) : undefined
  const elements = listAt(objectAt(map, 'data'), 'set')
  if (compare === undefined || elements.length === 0) return { is: 'unknown' }
  const choose = (traffic: Traffic): Verdict | undefined => {
    for (const element of elements) {
      const [key, statement] = Array.isArray(element) ? (element as readonly unknown[]) : []
      const isMet = compare(traffic, key)
      if (isMet === 'no') continue
      if (isMet === 'maybe' || !isObject(statement)) return { is: 'unknown' }
      return verdictOf(Object.keys(statement)[0] ?? '', statement)
    }
    return undefined
  }
  return { is: 'lookup', choose }
}

const membersOf = (objects: readonly JsonObject[], name: string): readonly JsonObject[] =>
  objects.map((object) => object[name]).filter(isObject)

/** Destinations of a rule that is for whatever has not come by one interface. */
function guardedBy(expressions: readonly JsonObject[]): readonly string[] | undefined {
  const matches = membersOf(expressions, 'match')
  const isForOthers = matches.some(
    (match) =>
      textAt(match, 'op') === '!=' && ['iifname', 'iif'].includes(textAt(objectAt(match['left'], 'meta'), 'key')),
  )
  if (!isForOthers) return undefined
  return matches.flatMap((match) => {
    const isDestination =
      textAt(objectAt(match['left'], 'payload'), 'field') === 'daddr' && textAt(match, 'op') === '=='
    const network = isDestination ? networkOf(match['right']) : undefined
    return network === undefined ? [] : [network.text]
  })
}
