import { chainOf, type ForeignChain, type ForeignRule, type ForeignTable } from './rule-set.ts'

/**
 * One table in the words of nft, and of iptables where nft has none for a condition of iptables' own. What nft can say, it says
 * truly; iptables leaves out conditions that it does not know. So a rule is met where both say so.
 */
export const withWordsOf = (table: ForeignTable, saved: ForeignTable | undefined): ForeignTable => ({
  ...table,
  chains: new Map([...table.chains].map(([name, chain]) => [name, merged(chain, saved?.chains.get(name))])),
})

/** Rules are told apart by their place: with another number of them, there is no telling. */
function merged(chain: ForeignChain, saved: ForeignChain | undefined): ForeignChain {
  if (saved === undefined) return chain
  return chainOf(chain, () => {
    const isSame = saved.rules.length === chain.rules.length
    return isSame ? chain.rules.map((rule, at) => both(rule, saved.rules[at])) : chain.rules
  })
}

function both(rule: ForeignRule, saved: ForeignRule | undefined): ForeignRule {
  if (saved === undefined) return rule
  if (rule.known === undefined) return { ...rule, text: saved.text }
  return { ...saved, conditions: [...rule.known, ...saved.conditions], guarded: rule.guarded }
}
