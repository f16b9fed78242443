import type { LinkState } from '../../kernel/kernel.ts'
import { carriesNothing } from '../../kernel/underlay.ts'
import type { Check, Finding } from '../finding.ts'
import type { OverlayHere, View } from '../view.ts'
import { FOR_ALL, inEachFamily, SILENCE } from './words.ts'

/** Whether the interface below the overlay is up and has a carrier. Without, nothing is sent, whatever stands in the tables. */
export const underlayLink: Check<View> = {
  name: 'the interface below the overlay',
  async look({ overlay, host }, signal) {
    const links = await host.kernel.links(signal)
    return inEachFamily(await overlay(), (here) => judgeUnderlayLink(here, links))
  },
}

/** Pure. */
export function judgeUnderlayLink({ family, underlay }: OverlayHere, links: readonly LinkState[]): readonly Finding[] {
  const link = links.find(({ index }) => index === underlay.index)
  if (link === undefined || carriesNothing(link)) return []
  const { name, up, carrier } = link
  const explains = [`IPv${family} underlay link`, 'etcd', 'Kubernetes API', ...SILENCE]
  if (!up)
    return [
      {
        ...{ cause: 'underlay-down', ...FOR_ALL, explains },
        summary: `the interface ${name}, which carries the overlay, is turned off`,
        evidence: [`ip link show ${name}: it does not say UP`],
        cure: [`ip link set ${name} up`],
      },
    ]
  if (carrier) return []
  return [
    {
      ...{ cause: 'underlay-without-carrier', ...FOR_ALL, explains },
      summary: `the interface ${name}, which carries the overlay, has no carrier: nothing is at the other end of its wire`,
      evidence: [`ip link show ${name}: NO-CARRIER`],
      cure: [
        `plug in its cable, turn on the port of the switch or the other end of the link; ethtool ${name} then says "Link detected: yes"`,
      ],
    },
  ]
}
