import { isObject, type JsonObject } from '../config/json.ts'
import type { Family } from '../net/ip.ts'
import type { BuiltinRule, ChainState } from './iptables-read.ts'
import { objectAt, textAt } from './json.ts'
import type { OwnChain } from './names.ts'
import type { NftChain, NftRule } from './nft-chains.ts'
import { ruleOf } from './nft-read.ts'
import { ruleText } from './rules.ts'

/*
 * Tables of iptables are tables of nftables where iptables is its nft variant, and nft reads all of them. It does not read all that
 * iptables writes: of a match or target of its own it has the name alone.
 */

/** What iptables-save prints of a rule, and what nft says of the same one. @returns undefined where they are not the same rules */
export function verified(state: ChainState, chain: NftChain | undefined): ChainState | undefined {
  if ((chain?.rules.length ?? 0) !== state.builtin.length) return undefined
  const builtin = state.builtin.map((rule, at): BuiltinRule => {
    const read = chain?.rules[at]
    if (read === undefined || rule.isOurs) return rule
    const isLost = read.isConditional && !rule.isConditional
    return {
      ...rule,
      isConditional: rule.isConditional || read.isConditional,
      keepsPlace: mayBan(read) && (isLost || !read.isIptables),
    }
  })
  return { ...state, builtin }
}

/**
 * Where nobody can say whether a rule that seems to drop all has lost its condition: it is not overtaken, unless it is the last of all,
 * which is where one stands that is meant for all.
 */
export function distrusted(state: ChainState): ChainState {
  const last = state.builtin.findLastIndex(({ isOurs }) => !isOurs)
  const isDoubtful = ({ target, isConditional }: BuiltinRule): boolean =>
    (target === 'DROP' || target === 'REJECT') && !isConditional
  const builtin = state.builtin.map((rule, at) => ({ ...rule, keepsPlace: at !== last && isDoubtful(rule) }))
  return { ...state, builtin }
}

/** For some packets only, by nft's own means, and it may be their end. */
const mayBan = ({ isConditional, mayDrop }: NftRule): boolean => isConditional && mayDrop

/** The state of one of our chains as nft reads its table, where iptables cannot. */
export function stateFromNft(chains: readonly NftChain[], own: OwnChain, family: Family): ChainState {
  const builtin = chains.find(({ name, hook }) => name === own.builtin && hook !== '')
  const others = chains.filter(({ name }) => name !== own.builtin && name !== own.name)
  const rules = builtin?.rules.map((rule) => builtinRule(rule, own)) ?? []
  return {
    rules: chains.find(({ name }) => name === own.name)?.rules.map((rule) => textOf(rule, family)),
    builtin: rules,
    policy: builtin?.policy.toUpperCase(),
    holders: [
      ...rules.filter(({ target, isOurs }) => target === own.name && !isOurs).map(({ line }) => line),
      ...others.flatMap(({ name, rules: inChain }) =>
        inChain.filter(({ target }) => target === own.name).map((rule) => describe(name, rule)),
      ),
    ],
  }
}

/** Ours is a jump to our chain for all packets, in the words in which we write it: iptables finds the rule by them. */
function builtinRule(rule: NftRule, { builtin, name, comment }: OwnChain): BuiltinRule {
  const { target, isConditional, isIptables } = rule
  const acting = rule.expressions.filter((expression) => !isSilent(expression))
  const isOurs = target === name && acting.length === 1
  const commented = rule.expressions.some(isMatchOfIptables) ? ['-m', 'comment', '--comment', comment] : []
  const words = isOurs ? [...commented, '-j', name] : []
  const quoted = words.map((word) => (word === comment ? `"${word}"` : word))
  return {
    ...{ words, target, isConditional, isOurs, keepsPlace: !isOurs && mayBan(rule) && !isIptables },
    line: isOurs ? `-A ${builtin} ${quoted.join(' ')}` : describe(builtin, rule),
  }
}

const describe = (chain: string, { target, isConditional }: NftRule): string =>
  `-A ${chain} ${isConditional ? '… ' : ''}${target === '' ? '…' : `-j ${target}`}`

const xtOf = (expression: unknown): JsonObject | undefined => objectAt(expression, 'xt')
const isMatchOfIptables = (expression: unknown): boolean => isObject(expression) && 'xt' in expression

/** Counters and comments say nothing of what a rule does. Older versions of nft give no names: `"xt": null`. */
const isSilent = (expression: unknown): boolean => {
  if (!isObject(expression)) return false
  const isNameless = expression['xt'] === null
  return 'counter' in expression || isNameless || textAt(xtOf(expression), 'name') === 'comment'
}

/** Of a target that is iptables' own, nft does not know the options: they are taken for ours. */
const withOptions = (expression: unknown): unknown =>
  textAt(xtOf(expression), 'name') === 'MASQUERADE' ? { masquerade: { flags: 'fully-random' } } : expression

function textOf({ expressions, target, isConditional }: NftRule, family: Family): string {
  const acting = expressions.filter((expression) => !isSilent(expression))
  const rule = ruleOf(acting.map(withOptions), family)
  return rule === undefined ? `unknown ${isConditional ? '… ' : ''}${target}` : ruleText(rule)
}
