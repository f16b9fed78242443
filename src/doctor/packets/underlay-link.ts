import type { LinkState, RouteAnswer, RuleState } from '../../kernel/kernel.ts'
import { describeWay } from '../../kernel/route-way.ts'
import { carriesNothing } from '../../kernel/underlay.ts'
import type { Check, Finding } from '../finding.ts'
import type { OverlayHere, View } from '../view.ts'
import { SILENCE } from '../silence.ts'
import { FOR_ALL } from './words.ts'

/**
 * Whether the interface below the overlay is up and has a carrier, without which nothing is sent, and whether the kernel takes what is sent to
 * its address for its own.
 */
export const underlayLink: Check<View> = {
  name: 'the interface below the overlay',
  async look({ overlay, host }, signal) {
    const { kernel } = host
    const [links, addresses] = [await kernel.links(signal), await kernel.addresses(signal)]
    const nameOf = (index: number): string => links.find((link) => link.index === index)?.name ?? `link ${index}`
    const looks = (await overlay()).map(async (here) => {
      const { address } = here.underlay
      const found = judgeUnderlayLink(here, links)
      if (found.length > 0 || !addresses.some(({ ip }) => ip.text === address.text)) return found
      const [answer] = await kernel.answers([{ destination: address }], signal)
      const rules = await kernel.rules(here.family, signal)
      return answer === undefined ? [] : judgeOwnAddress(here, { answer, rules, nameOf })
    })
    return (await Promise.all(looks)).flat()
  },
}

/** Conditions of a host that nobody's packets reach. */
const ALONE = ['etcd', 'Kubernetes API', ...SILENCE] as const

/** Pure. */
export function judgeUnderlayLink({ family, underlay }: OverlayHere, links: readonly LinkState[]): readonly Finding[] {
  const link = links.find(({ index }) => index === underlay.index)
  if (link === undefined || carriesNothing(link)) return []
  const { name, up, carrier } = link
  const explains = [`IPv${family} underlay link`, ...ALONE]
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

interface OwnAddress {
  /** To the question what becomes of a packet to our address on the underlay. */
  readonly answer: RouteAnswer
  readonly rules: readonly RuleState[]
  readonly nameOf: (linkIndex: number) => string
}

/**
 * The kernel makes a local route for each address, and looks for it by a rule before all others. Somebody who flushes tables, or moves the
 * rule, has the host send away, or drop, whatever comes for it: answers of etcd and of peers as well. Pure.
 */
export function judgeOwnAddress(
  { family, underlay }: OverlayHere,
  { answer, rules, nameOf }: OwnAddress,
): readonly Finding[] {
  if (answer.is === 'route' && answer.route.type === 'local') return []
  const { address, interface: name } = underlay
  const [ip, bits] = family === 4 ? ['ip', 32] : ['ip -6', 128]
  return [
    {
      ...{ cause: 'underlay-address-not-local', ...FOR_ALL, explains: ALONE },
      summary: `the kernel does not take ${address.text}, the address of this host on ${name}, for its own: what others send to it, answers included, is not received`,
      evidence: [`${ip} route get ${address.text}: ${describeWay(answer, nameOf, rules)}`],
      cure: [
        rules[0]?.table === 'local'
          ? `${ip} route add local ${address.text}/${bits} dev ${name} table local proto kernel src ${address.text}`
          : `${ip} rule add priority 0 lookup local`,
      ],
    },
  ]
}
