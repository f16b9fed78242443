import type { Family } from '../net/ip.ts'
import { FORWARD_COMMENT, MASQUERADE_COMMENT, NFT_FORWARD, NFT_POSTROUTING, NFT_TABLES } from './names.ts'
import { ruleText, type FamilyRules, type Rule, type Side } from './rules.ts'

/** A base chain, as libnftables-json(5) describes it. */
export interface BaseChain {
  readonly name: string
  readonly type: string
  readonly hook: string
  /** Standard priorities of nft(8): srcnat 100, filter 0. */
  readonly prio: number
  readonly policy: string
}

interface ChainOfRules extends BaseChain {
  readonly comment: string
  readonly rules: readonly Rule[]
}

/** Chains of one table; one without rules is not made. */
const chainsOf = ({ postrouting, forward }: FamilyRules): readonly ChainOfRules[] =>
  [
    {
      ...{ name: NFT_POSTROUTING, type: 'nat', hook: 'postrouting', prio: 100, policy: 'accept' },
      ...{ comment: MASQUERADE_COMMENT, rules: postrouting },
    },
    {
      ...{ name: NFT_FORWARD, type: 'filter', hook: 'forward', prio: 0, policy: 'accept' },
      ...{ comment: FORWARD_COMMENT, rules: forward },
    },
  ].filter(({ rules }) => rules.length > 0)

/** One line per chain and rule, the same for tables that do the same; '' for no table. */
export const nftText = (rules: FamilyRules): string =>
  chainsOf(rules)
    .flatMap((chain) => [chainText(chain), ...chain.rules.map((rule) => ruleLine(chain.name, ruleText(rule)))])
    .join('\n')

export const chainText = ({ name, type, hook, prio, policy }: BaseChain): string =>
  `${name}: ${type} ${hook} ${prio} ${policy}`

/** The order of chains says nothing, that of the rules in one everything. */
export const ruleLine = (chain: string, text: string): string => `${chain}: ${text}`

/**
 * Puts the table in the place of whatever stands under its name: commands of one transaction, in which no packet sees it missing.
 * "Add" before "delete" because deleting what is not there fails.
 */
export function nftReplace(rules: FamilyRules): readonly object[] {
  const { family, name } = NFT_TABLES[rules.family]
  const table = { table: { family, name } }
  const chains = chainsOf(rules)
  return [
    ...nftRemove(rules.family),
    ...(chains.length > 0 ? [{ add: table }] : []),
    ...chains.flatMap(({ comment, rules: inOrder, ...chain }) => [
      { add: { chain: { family, table: name, ...chain } } },
      ...inOrder.map((rule) => ({
        add: { rule: { family, table: name, chain: chain.name, comment, expr: expressions(rules.family, rule) } },
      })),
    ]),
  ]
}

/** Removes the table, also when it is not there. */
export function nftRemove(of: Family): readonly object[] {
  const { family, name } = NFT_TABLES[of]
  const table = { table: { family, name } }
  return [{ add: table }, { delete: table }]
}

export const nftInput = (commands: readonly object[]): string => JSON.stringify({ nftables: commands })

function expressions(family: Family, { mark, source, destination, verdict }: Rule): readonly object[] {
  const { family: protocol } = NFT_TABLES[family]
  const side = (field: string, { network, negated }: Side): object => ({
    match: {
      op: negated ? '!=' : '==',
      left: { payload: { protocol, field } },
      right: { prefix: { addr: network.base.text, len: network.length } },
    },
  })
  return [
    ...(mark === undefined
      ? []
      : [{ match: { op: '==', left: { '&': [{ meta: { key: 'mark' } }, mark.mask] }, right: mark.value } }]),
    ...(source === undefined ? [] : [side('saddr', source)]),
    ...(destination === undefined ? [] : [side('daddr', destination)]),
    verdict === 'masquerade-random' ? { masquerade: { flags: 'fully-random' } } : { [verdict]: null },
  ]
}
