import type { ForeignVerdict } from '../../kernel/foreign-rules.ts'
import type { Check, Finding } from '../finding.ts'
import type { View } from '../view.ts'
import { FOR_ALL, SILENCE } from './words.ts'

/** Whether rules of others on this host drop tunnels, or change who packets between containers seem to come from. */
export const rulesOfOthers: Check<View> = {
  name: 'what rules of others do to the overlay',
  async look({ host }) {
    const verdicts = await host.verdicts()
    if (verdicts === undefined) return []
    const tunnels = verdicts.drops.filter(({ kind }) => kind === 'tunnel')
    return [...tunnels.map(droppedHere), ...verdicts.masquerades.map(masqueraded)]
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

/** Pure. */
export const masqueraded = (verdict: ForeignVerdict): Finding => ({
  ...{ cause: 'masqueraded-by-others', severity: 'broken', explains: ['masquerading of others'] },
  summary: `${verdict.place} ${verdict.does}: the other side sees this host instead of the container`,
  evidence: [seen(verdict)],
  cure: [verdict.cure],
})
