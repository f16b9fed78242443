import type { RouteAnswer, RuleState } from '../../kernel/kernel.ts'
import { describeWay } from '../../kernel/route-way.ts'
import { parseIp, type Ip } from '../../net/ip.ts'
import type { Check, Finding } from '../finding.ts'
import type { OverlayHere, Suspect, View } from '../view.ts'
import { SILENCE } from '../silence.ts'

/**
 * Whether this host's own routes and rules let packets go to peers on the underlay at all. What they refuse looks from afar, to whoever sends
 * a datagram, like a firewall at the other end that says so.
 */
export const underlayWay: Check<View> = {
  name: 'the way to peers on the underlay',
  async look({ overlay, suspects, host: { kernel } }, signal) {
    const silent = (await suspects()).filter(({ reach }) => reach !== 'reachable')
    if (silent.length === 0) return []
    const links = await kernel.links(signal)
    const nameOf = (index: number): string => links.find((link) => link.index === index)?.name ?? `link ${index}`
    const looks = (await overlay()).map(async (here) => {
      const link = links.find(({ index }) => index === here.underlay.index)
      if (link?.up !== true || !link.carrier) return [] // its routes have gone with it
      const asked = silent.filter(({ family }) => family === here.family).flatMap(withAddress)
      const questions = asked.map(({ destination }) => ({ destination, source: here.underlay.address }))
      const answers = questions.length === 0 ? [] : await kernel.answers(questions, signal)
      const rules = await kernel.rules(here.family, signal)
      return judgeUnderlayWays({ here, rules, asked: asked.map(({ peer }) => peer), answers, nameOf })
    })
    return (await Promise.all(looks)).flat()
  },
}

function withAddress(peer: Suspect): readonly { readonly peer: Suspect; readonly destination: Ip }[] {
  const destination = parseIp(peer.publicIp)
  return destination === undefined ? [] : [{ peer, destination }]
}

interface UnderlayWays {
  readonly here: OverlayHere
  readonly rules: readonly RuleState[]
  readonly asked: readonly Suspect[]
  /** One for each that was asked about. */
  readonly answers: readonly RouteAnswer[]
  readonly nameOf: (linkIndex: number) => string
}

const REFUSING: ReadonlySet<string> = new Set(['blackhole', 'unreachable', 'prohibit', 'throw'])

const isRefused = (answer: RouteAnswer): boolean => answer.is === 'none' || REFUSING.has(answer.route.type)

/**
 * By another interface than the underlay, though from its address: a device of VXLAN binds what it receives, and not what it sends, to its
 * link.
 */
function isElsewhere(answer: RouteAnswer, { underlay }: OverlayHere): boolean {
  if (answer.is === 'none' || answer.route.type !== 'unicast') return false
  const { linkIndex, furtherHops = [] } = answer.route
  return linkIndex !== undefined && [{ linkIndex }, ...furtherHops].every((hop) => hop.linkIndex !== underlay.index)
}

/** Pure. */
export function judgeUnderlayWays({ here, rules, asked, answers, nameOf }: UnderlayWays): readonly Finding[] {
  const ip = here.family === 4 ? 'ip' : 'ip -6'
  const { address, interface: underlay } = here.underlay
  return asked.flatMap((peer, at): readonly Finding[] => {
    const answer = answers[at]
    if (answer === undefined) return []
    const way = describeWay(answer, nameOf, rules)
    const common = {
      severity: 'broken',
      peer: peer.name,
      explains: SILENCE,
      evidence: [`${ip} route get ${peer.publicIp} from ${address.text}: ${way}`],
    } as const
    if (isRefused(answer))
      return [
        {
          ...{ ...common, cause: 'underlay-way-refused', covers: 'peer' },
          summary: `packets to ${peer.name} do not leave this host: its own routes and rules lead to ${peer.publicIp} by ${way}`,
          cure: cureOf(answer, ip, here, peer),
        },
      ]
    if (!isElsewhere(answer, here)) return []
    return [
      {
        ...{ ...common, cause: 'underlay-way-elsewhere', covers: 'none', isInferred: true },
        summary: `${peer.name} does not answer, and what is sent to ${peer.publicIp} does not leave by ${underlay}, from whose address it comes, but by ${way}`,
        cure: [
          `${ip} route del and ${ip} rule del of what leads elsewhere, unless ${peer.publicIp} is reached that way: ping -I ${address.text} ${peer.publicIp}`,
          `or have the agent use the other interface (--iface)`,
        ],
      },
    ]
  })
}

function cureOf(answer: RouteAnswer, ip: string, { underlay }: OverlayHere, { publicIp }: Suspect): readonly string[] {
  if (answer.is === 'none' && answer.code === 'ENETUNREACH')
    return [
      `${ip} route add default via GATEWAY dev ${underlay.interface}, or the network manager: no route leads to ${publicIp}`,
      `${ip} rule show: a rule may look into a table without it`,
    ]
  return [
    `${ip} route show table all; ${ip} rule show: find what refuses ${publicIp}, and remove it (${ip} route del, ${ip} rule del)`,
  ]
}
