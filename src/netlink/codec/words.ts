import type {
  AddressFlag,
  AddressFlagName,
  RouteProtocolName,
  RouteTableName,
  RouteTypeName,
  ScopeName,
} from '../../kernel/words.ts'

/** Both ways between the numbers of a field and its words. What has no word goes by its digits, so that nothing is lost. */
export interface Vocabulary<Name extends string> {
  word(number: number): Name | `${number}`
  number(word: Name | `${number}`): number
}

/** Fields of one octet have so many values. */
const OCTET = 256

function vocabulary<Name extends string>(names: Readonly<Record<Name, number>>): Vocabulary<Name> {
  const words: (Name | `${number}`)[] = Array.from({ length: OCTET }, (_, number): `${number}` => `${number}`)
  const numbers = new Map<string, number>()
  for (const name in names) {
    words[names[name]] = name
    numbers.set(name, names[name])
  }
  return {
    word: (number) => words[number] ?? `${number}`,
    number: (word) => numbers.get(word) ?? Number(word),
  }
}

/** RTN_* (linux/rtnetlink.h) */
export const ROUTE_TYPES = vocabulary<RouteTypeName>({
  none: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
  nat: 10,
})

/** RT_SCOPE_* (linux/rtnetlink.h) */
export const SCOPES = vocabulary<ScopeName>({ global: 0, site: 200, link: 253, host: 254, nowhere: 255 })

/** RT_TABLE_* (linux/rtnetlink.h) */
export const ROUTE_TABLES = vocabulary<RouteTableName>({ unspec: 0, default: 253, main: 254, local: 255 })

/** RTPROT_* (linux/rtnetlink.h) */
export const ROUTE_PROTOCOLS = vocabulary<RouteProtocolName>({
  unspec: 0,
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  gated: 8,
  ra: 9,
  zebra: 11,
  bird: 12,
  dhcp: 16,
  keepalived: 18,
  babel: 42,
  bgp: 186,
  isis: 187,
  ospf: 188,
  rip: 189,
  eigrp: 192,
})

/** IFA_F_* (linux/if_addr.h), from the lowest bit on. */
const ADDRESS_FLAGS: readonly AddressFlagName[] = [
  'temporary',
  'nodad',
  'optimistic',
  'dadfailed',
  'home',
  'deprecated',
  'tentative',
  'permanent',
  'mngtmpaddr',
  'noprefixroute',
  'autojoin',
  'stable-privacy',
]

/** The words for the bits that are set, lowest first. */
export function addressFlags(bits: number): readonly AddressFlag[] {
  const flags: AddressFlag[] = []
  for (let bit = 0; bits >>> bit !== 0 && bit < 32; bit++)
    if (((bits >>> bit) & 1) === 1) flags.push(ADDRESS_FLAGS[bit] ?? `0x${(2 ** bit).toString(16)}`)
  return flags
}
