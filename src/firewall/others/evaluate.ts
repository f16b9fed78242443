import type { ForeignChain, ForeignRule, ForeignTable, Verdict } from './rule-set.ts'
import { all, type Traffic } from './traffic.ts'

/** What may become of packets in a chain; `fall`: they come out at its end. */
type Outcome = 'accept' | 'drop' | 'nat' | 'fall' | 'unknown'

/** What becomes of all packets alike, and where. */
export interface Fate {
  readonly is: Outcome
  /** The chain in which it is decided, and the rule; undefined: the policy. */
  readonly chain: string
  readonly rule: ForeignRule | undefined
}

/** Chains that lead into each other this deep are nobody's; nft allows 16. */
const DEEPEST = 16
/** Rules looked at for one question at most: what takes longer is not judged. */
const MOST_RULES = 50_000

/**
 * What becomes of these packets in a chain through which they go by themselves. Everything that may be is followed, also where a rule's
 * conditions hold for some of them only.
 * @returns undefined where that cannot be said of all of them
 */
export function fateOf(table: ForeignTable, chain: ForeignChain, traffic: Traffic): Fate | undefined {
  const walk: Walk = { table, traffic, rulesLeft: MOST_RULES }
  const fates = follow(walk, chain, 0).map((fate): Fate => (fate.is === 'fall' ? policyOf(chain) : fate))
  const [first] = fates
  if (walk.rulesLeft <= 0 || first === undefined) return undefined
  return fates.every(({ is }) => is === first.is) && first.is !== 'unknown' ? fates.at(-1) : undefined
}

const policyOf = ({ name, policy }: ForeignChain): Fate => ({ is: policy, chain: name, rule: undefined })

interface Walk {
  readonly table: ForeignTable
  readonly traffic: Traffic
  rulesLeft: number
}

/** Each kind once, and last what befalls whatever has come through until then. */
function follow(walk: Walk, { name, rules }: ForeignChain, depth: number): readonly Fate[] {
  const fates = new Map<Outcome, Fate>()
  const add = (fate: Fate): void => {
    fates.delete(fate.is)
    fates.set(fate.is, fate)
  }
  for (const rule of rules) {
    if (walk.rulesLeft-- <= 0) break
    const isMet = all(rule.conditions.map((condition) => condition(walk.traffic)))
    if (isMet === 'no') continue
    const { ends, found } = applied(walk, { name, rule, verdict: rule.verdict }, depth)
    found.forEach(add)
    if (isMet === 'yes' && ends) return [...fates.values()]
  }
  add({ is: 'fall', chain: name, rule: undefined })
  return [...fates.values()]
}

interface Applied {
  /** No packet goes on behind the rule. */
  readonly ends: boolean
  readonly found: readonly Fate[]
}

interface Step {
  readonly name: string
  readonly rule: ForeignRule
  readonly verdict: Verdict
}

function applied(walk: Walk, { name, rule, verdict }: Step, depth: number): Applied {
  const here = (is: Outcome): Fate => ({ is, chain: name, rule })
  switch (verdict.is) {
    case 'none':
      return { ends: false, found: [] }
    case 'unknown':
      return { ends: false, found: [here('unknown')] }
    case 'return':
      return { ends: true, found: [{ is: 'fall', chain: name, rule: undefined }] }
    case 'lookup': {
      const chosen = verdict.choose(walk.traffic)
      return chosen === undefined ? { ends: false, found: [] } : applied(walk, { name, rule, verdict: chosen }, depth)
    }
    case 'jump':
    case 'goto':
      return into(walk, verdict, depth, here('unknown'))
    default:
      return { ends: true, found: [here(verdict.is)] }
  }
}

function into(walk: Walk, verdict: { is: 'jump' | 'goto'; target: string }, depth: number, unknown: Fate): Applied {
  const target = walk.table.chains.get(verdict.target)
  if (target === undefined || depth >= DEEPEST) return { ends: false, found: [unknown] }
  const fates = follow(walk, target, depth + 1)
  const comesBack = fates.some(({ is }) => is === 'fall')
  const found = fates.filter(({ is }) => is !== 'fall')
  if (verdict.is === 'jump') return { ends: !comesBack, found }
  return { ends: true, found: comesBack ? [...found, { is: 'fall', chain: target.name, rule: undefined }] : found }
}
