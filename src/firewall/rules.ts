import type { Family } from '../net/ip.ts'
import { prefix, type Prefix } from '../net/prefix.ts'
import type { FirewallFamily, FirewallSpec } from '../kernel/firewall.ts'

/** One end of a packet: in the network, or anywhere else. */
export interface Side {
  readonly network: Prefix
  readonly negated: boolean
}

export interface Mark {
  readonly value: number
  readonly mask: number
}

export type RuleVerdict = 'return' | 'accept' | 'masquerade' | 'masquerade-random'

/** One rule: what it matches (all of it), and what becomes of the packet. */
export interface Rule {
  readonly mark?: Mark | undefined
  readonly source?: Side | undefined
  readonly destination?: Side | undefined
  readonly verdict: RuleVerdict
}

/** The rules of one family, in order; none where nothing is asked for. */
export interface FamilyRules {
  readonly family: Family
  readonly postrouting: readonly Rule[]
  readonly forward: readonly Rule[]
}

export const FAMILIES = [4, 6] as const

/** Packets that kube-proxy will masquerade itself (its `--iptables-masquerade-bit`, 14): to do it twice breaks connections. */
const KUBE_PROXY_MARK: Mark = { value: 0x4000, mask: 0x4000 }

/** RFC 5771, RFC 4291 §2.7: the sender's own address is part of what multicast means. */
const MULTICAST: Readonly<Record<Family, Prefix>> = { 4: prefix('224.0.0.0/4'), 6: prefix('ff00::/8') }

const within = (network: Prefix): Side => ({ network, negated: false })
const outside = (network: Prefix): Side => ({ network, negated: true })

/** Rules of both families, IPv4 first. Pure: same specification, same rules. */
export const rulesFor = (spec: FirewallSpec): readonly FamilyRules[] =>
  FAMILIES.map((family) => {
    const part = spec.families.find(({ network }) => network.family === family)
    return {
      family,
      postrouting: part === undefined || !spec.masquerade ? [] : masqueradeRules(part, spec.randomFully),
      forward: part === undefined || !spec.forward ? [] : forwardRules(part),
    }
  })

export const NO_RULES: readonly FamilyRules[] = FAMILIES.map((family) => ({ family, postrouting: [], forward: [] }))

/** The order is the meaning: what must keep its source returns before the two rules that change it. */
function masqueradeRules({ network, subnet }: FirewallFamily, randomFully: boolean): readonly Rule[] {
  const verdict = randomFully ? 'masquerade-random' : 'masquerade'
  return [
    { mark: KUBE_PROXY_MARK, verdict: 'return' },
    { source: within(subnet), destination: within(network), verdict: 'return' },
    { source: within(network), destination: within(subnet), verdict: 'return' },
    { source: outside(network), destination: within(subnet), verdict: 'return' },
    { source: within(network), destination: outside(MULTICAST[network.family]), verdict },
    { source: outside(network), destination: within(network), verdict },
  ]
}

const forwardRules = ({ network }: FirewallFamily): readonly Rule[] => [
  { source: within(network), verdict: 'accept' },
  { destination: within(network), verdict: 'accept' },
]

const hex = (value: number): string => `0x${value.toString(16)}`

/** The same text for rules that do the same, whoever wrote them and in whichever words. */
export function ruleText({ mark, source, destination, verdict }: Rule): string {
  const side = (name: string, { network, negated }: Side): string => `${name} ${negated ? 'not ' : ''}${network.text}`
  const conditions = [
    mark === undefined ? [] : [`mark ${hex(mark.value)}/${hex(mark.mask)}`],
    source === undefined ? [] : [side('from', source)],
    destination === undefined ? [] : [side('to', destination)],
  ].flat()
  return [...conditions, verdict].join(' ')
}
