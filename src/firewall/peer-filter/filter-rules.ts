import type { GuardedOverlay } from '../../kernel/peer-filter.ts'
import type { Family, Ip } from '../../net/ip.ts'
import { differs, equal, field, IPV6_FRAGMENT, jump, VNI_IN_UDP, type NftObject } from './expressions.ts'
import { FORGED_COUNTER, forgedChains, type FilterChain } from './forged-rules.ts'

/** Our table, in the family that sees IPv4 and IPv6. Nothing else may stand in it. */
export const TABLE = { family: 'inet', name: 'flannel-peers' } as const
/** Packets of hosts that are no peers. */
export const COUNTER = 'strangers'

const IN_TABLE = { family: TABLE.family, table: TABLE.name } as const
const CHAIN = { input: 'input', overlay: 'overlay' } as const
const SET = { 4: 'peers4', 6: 'peers6' } as const satisfies Record<Family, string>
const SET_TYPE = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const satisfies Record<Family, string>
const FAMILIES: readonly Family[] = [4, 6]

/** Before every other filter, as `raw` in nft(8): what is dropped here costs nobody else anything. */
const PRIORITY = -300

/** The name of the set that holds addresses of this family. */
export const setOf = (family: Family): string => SET[family]

/**
 * `in`: what strangers send is dropped. `both`: what this host itself forges, too, for which nft and the kernel need to know more;
 * `both, tracked` where the host tracks connections.
 */
export type Reach = 'both, tracked' | 'both' | 'in'

/** Everything the table consists of but for addresses, in the order in which it can be made. */
export function tableObjects(overlay: GuardedOverlay, reach: Reach): readonly NftObject[] {
  const chains = [
    ...strangerChains(overlay),
    ...(reach === 'in' ? [] : forgedChains(overlay, setOf, reach === 'both, tracked')),
  ]
  const counters = [COUNTER, ...(reach === 'in' ? [] : [FORGED_COUNTER])]
  return [
    { table: TABLE },
    ...counters.map((name) => ({ counter: { ...IN_TABLE, name } })),
    ...FAMILIES.map((family) => ({ set: { ...IN_TABLE, name: SET[family], type: SET_TYPE[family] } })),
    ...chains.map(({ name, hook }) => ({
      chain: { ...IN_TABLE, name, ...(hook === undefined ? {} : { type: 'filter', ...hook, policy: 'accept' }) },
    })),
    ...chains.flatMap(({ name, rules }) =>
      rules.map(({ comment, expr }) => ({ rule: { ...IN_TABLE, chain: name, comment, expr } })),
    ),
  ]
}

const strangerChains = ({ vni, port }: GuardedOverlay): readonly FilterChain[] => [
  {
    name: CHAIN.input,
    hook: { hook: 'input', prio: PRIORITY },
    rules: [{ comment: 'VXLAN', expr: [equal(field('udp', 'dport'), port), jump(CHAIN.overlay)] }],
  },
  {
    name: CHAIN.overlay,
    rules: [
      { comment: 'peers', expr: [equal(field('ip', 'saddr'), `@${SET[4]}`), { return: null }] },
      { comment: 'peers', expr: [equal(field('ip6', 'saddr'), `@${SET[6]}`), { return: null }] },
      { comment: 'not from a peer', expr: [equal(VNI_IN_UDP, vni), ...COUNT_AND_DROP] },
      { comment: 'other networks', expr: [differs(VNI_IN_UDP, vni), { return: null }] },
      // IPv4 is put together before the input hook, IPv6 behind it. Fragments that show another VNI have left the chain before.
      { comment: 'VNI hidden in a later fragment', expr: [IPV6_FRAGMENT, ...COUNT_AND_DROP] },
    ],
  },
]

const COUNT_AND_DROP: readonly NftObject[] = [{ counter: COUNTER }, { drop: null }]

/** Commands that put the whole table, with these addresses in it, in the place of what is there. */
export const installation = (overlay: GuardedOverlay, peers: readonly Ip[], reach: Reach): readonly NftObject[] => [
  { add: { table: TABLE } }, // or there might be none to delete
  { delete: { table: TABLE } },
  ...tableObjects(overlay, reach).map((object) => ({ add: object })),
  ...elements('add', peers),
]

/** Commands that let these addresses in, or no longer. */
export const elements = (verb: 'add' | 'delete', addresses: readonly Ip[]): readonly NftObject[] =>
  FAMILIES.flatMap((family) => {
    const elem = addresses.filter((address) => address.family === family).map(({ text }) => text)
    return elem.length === 0 ? [] : [{ [verb]: { element: { ...IN_TABLE, name: SET[family], elem } } }]
  })

export const removal: readonly NftObject[] = [{ delete: { table: TABLE } }]

/** One transaction, as nft reads it. */
export const transaction = (commands: readonly NftObject[]): string => JSON.stringify({ nftables: commands })
