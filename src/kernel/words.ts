/*
 * The kernel's words, as iproute2 writes them, for what the kernel says in numbers. A number that has no word here is kept, in digits;
 * the codec translates (netlink/codec/words.ts), and nobody above it sees a number.
 */

/** A number that has no name here: `9`. */
type Unnamed = `${number}`

/** rtm_type, RTN_* (linux/rtnetlink.h): what becomes of a packet that follows the route. */
export type RouteType = RouteTypeName | Unnamed
export type RouteTypeName =
  | 'none'
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'
  | 'nat'

/** rtm_scope and ifa_scope, RT_SCOPE_* (linux/rtnetlink.h): how far a destination or an address means the same. */
export type Scope = ScopeName | Unnamed
export type ScopeName = 'global' | 'site' | 'link' | 'host' | 'nowhere'

/** rtm_table, RT_TABLE_* (linux/rtnetlink.h). */
export type RouteTable = RouteTableName | Unnamed
export type RouteTableName = 'unspec' | 'default' | 'main' | 'local'

/** rtm_protocol, RTPROT_* (linux/rtnetlink.h): who made the route. `unspec` in a deletion: whoever. */
export type RouteProtocol = RouteProtocolName | Unnamed
export type RouteProtocolName =
  | 'unspec'
  | 'redirect'
  | 'kernel'
  | 'boot'
  | 'static'
  | 'gated'
  | 'ra'
  | 'zebra'
  | 'bird'
  | 'dhcp'
  | 'keepalived'
  | 'babel'
  | 'bgp'
  | 'isis'
  | 'ospf'
  | 'rip'
  | 'eigrp'

/** ifa_proto, IFAPROT_* (linux/if_addr.h), in digits: who made an address. */
export type AddressProtocol = Unnamed

/** IFA_F_* (linux/if_addr.h). Of IPv4, what is `temporary` here is a secondary address. A bit without a name stands for itself. */
export type AddressFlag = AddressFlagName | `0x${string}`
export type AddressFlagName =
  | 'temporary'
  | 'nodad'
  | 'optimistic'
  | 'dadfailed'
  | 'home'
  | 'deprecated'
  | 'tentative'
  | 'permanent'
  | 'mngtmpaddr'
  | 'noprefixroute'
  | 'autojoin'
  | 'stable-privacy'
