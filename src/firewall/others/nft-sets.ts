import { isObject } from '../../config/json.ts'
import { listAt, objectAt, textAt } from '../json.ts'
import type { NftChain, NftRule } from '../nft-chains.ts'

/*
 * Named sets of ports, as rules ask about them: `udp dport @services accept`. A table is listed without what is in its sets, which may be very
 * much; of ports there are few, and the overlay's is among them or not.
 */

/** The set's name, where a `match` of nft's JSON compares a destination port with a set that has one. */
function setNamed(match: unknown): string | undefined {
  const right = isObject(match) ? match['right'] : undefined
  const isPort = textAt(objectAt(isObject(match) ? match['left'] : undefined, 'payload'), 'field') === 'dport'
  return isPort && typeof right === 'string' && right.startsWith('@') ? right.slice(1) : undefined
}

const matchesOf = ({ expressions }: NftRule): readonly unknown[] =>
  expressions.filter(isObject).flatMap((expression) => expression['match'] ?? [])

/** Names of the sets of ports that rules of these chains ask about. Pure. */
export const portSetsIn = (chains: readonly NftChain[]): readonly string[] => [
  ...new Set(chains.flatMap(({ rules }) => rules.flatMap(matchesOf).flatMap((match) => setNamed(match) ?? []))),
]

/** Elements of a set, as `nft -j list set` prints them; undefined where it prints none. @throws {SyntaxError} when it is not JSON */
export function elementsOf(output: string): readonly unknown[] | undefined {
  const [set] = listAt(JSON.parse(output), 'nftables')
    .filter(isObject)
    .flatMap((object) => object['set'] ?? [])
  return set === undefined ? undefined : listAt(set, 'elem')
}

/** The same chains, whose rules have what is in the sets in place of their names. Pure. */
export function withElements(
  chains: readonly NftChain[],
  elements: ReadonlyMap<string, readonly unknown[]>,
): readonly NftChain[] {
  if (elements.size === 0) return chains
  const filled = (expression: unknown): unknown => {
    const match = objectAt(expression, 'match')
    const set = elements.get(setNamed(match) ?? '')
    return set === undefined ? expression : { match: { ...match, right: { set } } }
  }
  return chains.map((chain) => ({
    ...chain,
    rules: chain.rules.map((rule) => ({ ...rule, expressions: rule.expressions.map(filled) })),
  }))
}
