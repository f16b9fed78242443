import type { Family, Ip } from '../../net/ip.ts'
import type { GuardedOverlay } from '../../kernel/peer-filter.ts'

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

/** VXLAN network identifier, counted in bits from the UDP header: that has 64, then 32 of flags (RFC 7348 section 5). */
const VNI_IN_UDP = { payload: { base: 'th', offset: 96, len: 24 } } as const

/** Nested values of nft's JSON, see libnftables-json(5). */
export type NftObject = Readonly<Record<string, unknown>>

/** The name of the set that holds addresses of this family. */
export const setOf = (family: Family): string => SET[family]

/** Everything the table consists of but for addresses, in the order in which it can be made. */
export function tableObjects({ vni, port }: GuardedOverlay): readonly NftObject[] {
  const rule = (chain: string, comment: string, ...expr: readonly NftObject[]): NftObject => ({
    rule: { ...IN_TABLE, chain, comment, expr },
  })
  return [
    { table: TABLE },
    { counter: { ...IN_TABLE, name: COUNTER } },
    ...FAMILIES.map((family) => ({ set: { ...IN_TABLE, name: SET[family], type: SET_TYPE[family] } })),
    {
      chain: { ...IN_TABLE, name: CHAIN.input, type: 'filter', hook: 'input', prio: PRIORITY, policy: 'accept' },
    },
    { chain: { ...IN_TABLE, name: CHAIN.overlay } },
    rule(CHAIN.input, 'VXLAN', equal(field('udp', 'dport'), port), { jump: { target: CHAIN.overlay } }),
    rule(CHAIN.overlay, 'peers', equal(field('ip', 'saddr'), `@${SET[4]}`), { return: null }),
    rule(CHAIN.overlay, 'peers', equal(field('ip6', 'saddr'), `@${SET[6]}`), { return: null }),
    rule(CHAIN.overlay, 'not from a peer', equal(VNI_IN_UDP, vni), ...COUNT_AND_DROP),
    rule(CHAIN.overlay, 'other networks', { match: { op: '!=', left: VNI_IN_UDP, right: vni } }, { return: null }),
    rule(CHAIN.overlay, 'VNI hidden in a later fragment', equal(IPV6_FRAGMENT, true), ...COUNT_AND_DROP),
  ]
}

const COUNT_AND_DROP: readonly NftObject[] = [{ counter: COUNTER }, { drop: null }]

/**
 * IPv4 is put together before the input hook, IPv6 behind it. A first fragment that ends before the VNI has no lawful sender; the
 * others carry no UDP header and come to nothing without it. Fragments that show another VNI have left the chain before.
 */
const IPV6_FRAGMENT = { exthdr: { name: 'frag' } } as const

const field = (protocol: string, name: string): NftObject => ({ payload: { protocol, field: name } })
const equal = (left: NftObject, right: unknown): NftObject => ({ match: { op: '==', left, right } })

/** Commands that put the whole table, with these addresses in it, in the place of what is there. */
export const installation = (overlay: GuardedOverlay, peers: readonly Ip[]): readonly NftObject[] => [
  { add: { table: TABLE } }, // or there might be none to delete
  { delete: { table: TABLE } },
  ...tableObjects(overlay).map((object) => ({ add: object })),
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
