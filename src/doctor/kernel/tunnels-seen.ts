import type { Check, Finding } from '../finding.ts'
import { SILENCE } from '../silence.ts'
import type { OverlayHere, Sight, Suspect, View } from '../view.ts'

/**
 * Whether tunnels leave this host, and whether what comes in is taken: seen on the underlay while peers are asked. It says on which host, and
 * at which side of it, packets are lost, whatever it is that drops them.
 */
export const tunnelsSeen: Check<View> = {
  name: 'tunnels on the underlay',
  async look({ overlay, sights }) {
    const seen = [...(await sights())]
    return (await overlay()).flatMap((here) =>
      seen
        .filter(([{ family }]) => family === here.family)
        .flatMap(([peer, sight]) => judgeSight({ here, peer, sight })),
    )
  },
}

interface Facts {
  readonly here: OverlayHere
  readonly peer: Suspect
  readonly sight: Sight
}

/** Pure. What is lost at the peer, or on the way to it, is said of peers that do not answer. */
export function judgeSight(facts: Facts): readonly Finding[] {
  const { peer, sight } = facts
  const wrong = told(facts)
  if (wrong === undefined) return []
  const counted = sight.counted.length === 0 ? [] : [`nstat: ${sight.counted.join(', ')} meanwhile`]
  return [
    {
      ...{ severity: 'broken', peer: peer.name, covers: 'peer', explains: SILENCE },
      ...{ ...wrong, evidence: [...wrong.evidence, ...counted] },
    },
  ]
}

type Told = Pick<Finding, 'cause' | 'summary' | 'evidence' | 'cure' | 'isInferred' | 'isLastResort'>

/** Which side of this host loses them, and not what does: that gives way to whatever knows. */
const GIVES_WAY = { isInferred: true, isLastResort: true } as const

function told({ here, peer, sight }: Facts): Told | undefined {
  const { interface: link, address } = here.underlay
  const port = here.device?.port ?? 0
  const ip = here.family === 4 ? 'ip' : 'ip -6'
  const asked = `${sight.asked} questions were sent to ${peer.address ?? peer.subnet}`
  const shows = `tcpdump -ni ${link} udp port ${port} and host ${peer.publicIp}`
  const [first] = sight.leaving
  if (first === undefined)
    return {
      ...{ ...GIVES_WAY, cause: 'tunnels-do-not-leave' },
      summary: `what this host sends to ${peer.name} through the overlay does not leave by ${link}: something on this host drops it or leads it elsewhere`,
      evidence: [`${asked}; ${shows}: none is seen leaving`],
      cure: [
        `${ip} neigh show dev ${here.device?.name ?? ''}; bridge fdb show dev ${here.device?.name ?? ''}; ${ip} route get ${peer.publicIp}: whether it leads to ${peer.publicIp} by ${link}`,
        `nft list ruleset; iptables-save -c: look at output and postrouting for UDP, ${port}, ${peer.publicIp}, sets that have them, and for counters that rise`,
        `tc -s filter show dev ${link} egress; tc -s qdisc show dev ${link}; ip xfrm policy`,
      ],
    }
  const { outerFrom, outerTo, port: to } = first
  if (outerFrom.text !== address.text || outerTo.text !== peer.publicIp || to !== port)
    return {
      cause: 'tunnels-rewritten-here',
      summary: `what this host sends to ${peer.name} through the overlay leaves by ${link} rewritten: from ${outerFrom.text} to ${outerTo.text}, port ${to}, and not from ${address.text} to ${peer.publicIp}, port ${port}`,
      evidence: [
        `${asked}; ${shows.replace(/ udp port.*/, ' udp')}: they leave as ${outerFrom.text} > ${outerTo.text}.${to}`,
      ],
      cure: [
        `nft list ruleset; iptables-save -t nat: look for snat, masquerade, dnat or redirect that UDP to ${peer.publicIp} meets, and except port ${port}`,
        `conntrack -D -p udp --dport ${port}, which forgets what was decided before`,
      ],
    }
  if (sight.answers === 0) return undefined
  return {
    ...{ ...GIVES_WAY, cause: 'answers-dropped-here' },
    summary: `answers of ${peer.name} come in by ${link}, and this host drops them before they reach ${here.device?.name ?? 'the overlay'}`,
    evidence: [`${asked}; ${shows}: ${sight.answers} answers are seen coming in`],
    cure: [
      `nft list ruleset; iptables-save -c: look at prerouting and input for UDP, ${port}, ${peer.publicIp}, sets that have them, dnat and redirect, and for counters that rise`,
      `tc -s filter show dev ${link} ingress; nstat -z; ip xfrm policy; ${ip} route get ${address.text} from ${peer.publicIp} iif ${link}`,
      `then let them pass: nft insert rule, or iptables -I INPUT -p udp --dport ${port} -j ACCEPT`,
    ],
  }
}
