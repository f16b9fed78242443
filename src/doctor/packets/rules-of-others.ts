import type { ForeignVerdict } from '../../kernel/foreign-rules.ts'
import type { Check, Finding } from '../finding.ts'
import type { View } from '../view.ts'
import { SILENCE } from '../silence.ts'
import { FOR_ALL } from './words.ts'

/** Whether rules of others on this host drop tunnels, or change who packets between containers seem to come from. */
export const rulesOfOthers: Check<View> = {
  name: 'what rules of others do to the overlay',
  async look({ host }) {
    const verdicts = await host.verdicts()
    if (verdicts === undefined) return []
    const tunnels = verdicts.drops.filter(({ kind }) => kind === 'tunnel')
    return [...tunnels.map(droppedHere), ...byRule(verdicts.masquerades).map(masqueraded)]
  },
}

const toolFor = (place: string): string =>
  /nftables/.test(place) ? 'nft -a list ruleset' : /legacy/.test(place) ? 'iptables-legacy-save' : 'iptables-save'

const seen = ({ place, does }: ForeignVerdict): string => `${toolFor(place)}: ${place} ${does}`

/** Pure. */
export const droppedHere = (verdict: ForeignVerdict): Finding => ({
  ...{ cause: 'udp-port-dropped-here', ...FOR_ALL, explains: ['drops of others', ...SILENCE] },
  summary: `${verdict.place} ${verdict.does}`,
  evidence: [seen(verdict)],
  cure: [verdict.cure],
})

/** One rule may do harm in both directions: it is one cause. */
const byRule = (verdicts: readonly ForeignVerdict[]): readonly (readonly ForeignVerdict[])[] =>
  [...new Set(verdicts.map(({ place }) => place))].map((rule) => verdicts.filter(({ place }) => place === rule))

/** Pure. @param verdicts on one rule */
export const masqueraded = (verdicts: readonly ForeignVerdict[]): Finding => ({
  ...{ cause: 'masqueraded-by-others', severity: 'broken', explains: ['masquerading of others'] },
  summary: `${verdicts[0]?.place ?? ''} ${verdicts.map(({ does }) => does).join(', and ')}: the other side sees this host instead of the container`,
  evidence: verdicts.map(seen),
  cure: [...new Set(verdicts.map(({ cure }) => cure))],
})
