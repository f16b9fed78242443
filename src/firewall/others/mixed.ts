import type { MixedVariants } from '../../kernel/foreign-rules.ts'
import type { ForeignTable } from './rule-set.ts'

/** The tables that iptables knows, in either variant (iptables(8)). */
const TABLES: ReadonlySet<string> = new Set(['filter', 'nat', 'mangle', 'raw', 'security'])

/** What iptables has in each variant. */
export interface Variants extends Pick<MixedVariants, 'family' | 'used'> {
  /** Those of nft, whoever made them. */
  readonly nft: readonly ForeignTable[]
  readonly legacy: readonly ForeignTable[]
}

/** Whether rules stand in both, so that neither command shows all that happens. Tables without rules do nothing. Pure. */
export function mixOf({ family, used, nft, legacy }: Variants): readonly MixedVariants[] {
  const ofNft = weightOf(nft.filter(isOfIptables))
  const ofLegacy = weightOf(legacy)
  return ofNft > 0 && ofLegacy > 0 ? [{ family, used, ofNft, ofLegacy }] : []
}

/** iptables writes the names of its chains of old in capitals; whoever writes with nft mostly does not. */
const isOfIptables = ({ name, chains }: ForeignTable): boolean =>
  TABLES.has(name) && [...chains.values()].some((chain) => chain.name === chain.hook?.toUpperCase())

const weightOf = (tables: readonly ForeignTable[]): number =>
  tables
    .flatMap(({ chains }) => [...chains.values()])
    .reduce((sum, { rules, policy }) => sum + rules.length + (policy === 'drop' ? 1 : 0), 0)
