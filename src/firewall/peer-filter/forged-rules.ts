import { deviceName } from '../../kernel/marks.ts'
import type { GuardedOverlay } from '../../kernel/peer-filter.ts'
import type { Family } from '../../net/ip.ts'
import { differs, equal, field, IPV6_FRAGMENT, jump, masked, meta, VNI_IN_UDP, type NftObject } from './expressions.ts'

/** Packets to peers that this host's processes and containers have made up, as if they were the overlay's. */
export const FORGED_COUNTER = 'forged'

/** A chain of the table, with its rules in order. */
export interface FilterChain {
  readonly name: string
  /** Only of base chains. */
  readonly hook?: { readonly hook: string; readonly prio: number }
  readonly rules: readonly FilterRule[]
}

export interface FilterRule {
  readonly comment: string
  readonly expr: readonly NftObject[]
}

/** Before all that others do to packets that are sent or forwarded, `raw` (-300) included: no priority is lost on the way. */
const FIRST = -310
/** Behind all that others do to packets on their way to our device. */
const LAST = 30_000

/**
 * What a process of this host sends into the overlay is marked on its way to our device, in the upper half of its priority, which in all
 * kernels stays with a packet when it is put into another. The mark is taken off as soon as the outer packet appears: routing,
 * queueing and the rules of others see it as it would have been. Nobody but who has CAP_NET_ADMIN can set such a priority (socket(7)).
 */
const MARK = { of: meta('priority'), value: 'f1a7:0', bits: 'ffff:0', others: '0:ffff' } as const

/**
 * One packet may hold several datagrams (UDP_SEGMENT of udp(7)), which are parted behind all rules, and of which the first alone shows its VNI:
 * what containers send to a peer as VXLAN of another network bears this until it is known whether its source has been changed.
 */
const IN_QUESTION = 'f1a8:0'

/** A packet without a socket of a process has none of its users: the kernel's own, and all that is forwarded. */
const OF_A_PROCESS = differs(meta('skuid'), 0xffff_ffff)

const FAMILIES: readonly Family[] = [4, 6]
const IP = { 4: 'ip', 6: 'ip6' } as const

/**
 * Chains that keep what this host's processes and containers forge from reaching peers. The outer packet of our device either has no socket of
 * a process (what was inside was forwarded) or carries the mark; a datagram of a process has a socket and no mark; what is forwarded is
 * never our device's. To others than peers, and with other VNIs, anybody may send VXLAN.
 * @param setOf the set with the peers' addresses
 * @param isTracked whether this host tracks connections anyway: only then destinations are changed on the way, and only then it may be
 *   asked about, since the question makes it track them
 */
export function forgedChains(
  { vni, port }: GuardedOverlay,
  setOf: (family: Family) => string,
  isTracked: boolean,
): readonly FilterChain[] {
  const vxlan = equal(field('udp', 'dport'), port)
  const ofPeer: OfFamily = (family) => equal(field(IP[family], 'saddr'), `@${setOf(family)}`)
  const toPeer: OfFamily = (family) => equal(field(IP[family], 'daddr'), `@${setOf(family)}`)
  return [
    forgedChain(vni),
    {
      name: 'to-peers',
      rules: FAMILIES.map((family) => ({ comment: 'to a peer', expr: [toPeer(family), jump('forged')] })),
    },
    SENT,
    { name: 'forwarded', rules: forwardedRules({ ofPeer, toPeer }, isTracked) },
    {
      name: 'output',
      hook: { hook: 'output', prio: FIRST },
      rules: [{ comment: 'VXLAN', expr: [vxlan, jump('sent')] }],
    },
    {
      name: 'forward',
      hook: { hook: 'forward', prio: FIRST },
      rules: [{ comment: 'VXLAN', expr: [vxlan, jump('forwarded')] }],
    },
    {
      name: 'into-overlay',
      rules: FAMILIES.map((family) => ({
        comment: 'of a process, into our device',
        expr: [equal(meta('oifname'), deviceName(family, vni)), OF_A_PROCESS, setMark({ '|': [MARK.of, MARK.value] })],
      })),
    },
    { name: 'in-question', rules: isTracked ? QUESTIONED : [] },
    { name: 'leaving', hook: { hook: 'postrouting', prio: LAST }, rules: leavingRules(vxlan, isTracked) },
  ]
}

type OfFamily = (family: Family) => NftObject

const DROP: readonly NftObject[] = [{ counter: FORGED_COUNTER }, { drop: null }]

/** Of what goes to a peer from nobody who may: only our network's is dropped. */
const forgedChain = (vni: number): FilterChain => ({
  name: 'forged',
  rules: [
    { comment: 'not of our device', expr: [equal(VNI_IN_UDP, vni), ...DROP] },
    { comment: 'other networks', expr: [differs(VNI_IN_UDP, vni), { return: null }] },
    { comment: 'VNI hidden in a later fragment', expr: [IPV6_FRAGMENT, ...DROP] },
    { comment: 'VNI hidden in a later fragment', expr: [IPV4_FRAGMENT, ...DROP] },
  ],
})

function forwardedRules(
  { ofPeer, toPeer }: Readonly<Record<'ofPeer' | 'toPeer', OfFamily>>,
  isTracked: boolean,
): readonly FilterRule[] {
  return [
    ...FAMILIES.map((family) => ({
      comment: 'of a peer whose way leads through us',
      expr: [ofPeer(family), REACHED_THAT_WAY, { return: null }],
    })),
    ...FAMILIES.map((family) => ({
      comment: 'in the name of a peer',
      expr: [ofPeer(family), toPeer(family), ...DROP],
    })),
    { comment: 'of anybody else', expr: [jump('to-peers')] },
    ...(isTracked
      ? FAMILIES.map((family) => ({
          comment: 'another network at first sight',
          expr: [toPeer(family), setMark({ '|': [MARK.of, IN_QUESTION] })],
        }))
      : []),
  ]
}

function leavingRules(vxlan: NftObject, isTracked: boolean): readonly FilterRule[] {
  return [
    // One question for all packets that go elsewhere: all names of deviceName begin so.
    { comment: 'into an overlay', expr: [equal(meta('oifname'), 'flan*'), jump('into-overlay')] },
    ...(isTracked
      ? [
          { comment: 'VXLAN that was sent elsewhere', expr: [vxlan, REDIRECTED, jump('to-peers')] },
          {
            comment: 'VXLAN of a container',
            expr: [vxlan, equal(masked(MARK.of, MARK.bits), IN_QUESTION), jump('in-question')],
          },
        ]
      : []),
  ]
}

/** More fragments follow (RFC 791): put together before the forward hook only where connections are tracked. */
const IPV4_FRAGMENT = differs(masked(field('ip', 'frag-off'), 0x2000), 0)

const setMark = (value: NftObject): NftObject => ({ mangle: { key: MARK.of, value } })

/** The host would send to that source over the interface on which the packet came. */
const REACHED_THAT_WAY = equal({ fib: { result: 'oif', flags: ['saddr', 'iif'] } }, true)

/** Answers to VXLAN go to its port, not to where it came from: nobody lawful sends it from behind a changed source. */
const SOURCE_CHANGED: NftObject = { match: { op: 'in', left: { ct: { key: 'status' } }, right: 'snat' } }

/** Its destination was changed on the way: our device sends to peers alone. */
const REDIRECTED: NftObject = { match: { op: 'in', left: { ct: { key: 'status' } }, right: 'dnat' } }

const SENT: FilterChain = {
  name: 'sent',
  rules: [
    {
      comment: 'of our device',
      expr: [equal(masked(MARK.of, MARK.bits), MARK.value), setMark(masked(MARK.of, MARK.others)), { return: null }],
    },
    { comment: 'of a process', expr: [OF_A_PROCESS, jump('to-peers')] },
  ],
}

const QUESTIONED: readonly FilterRule[] = [
  { comment: 'no answer would find its way back', expr: [SOURCE_CHANGED, ...DROP] },
  { comment: 'a stranger to the peer', expr: [setMark(masked(MARK.of, MARK.others))] },
]
