/** Numbers of the kernel's user interface that rtnetlink needs, each group under the header it is defined in. */

/** linux/socket.h */
export const AF = { UNSPEC: 0, UNIX: 1, INET: 2, BRIDGE: 7, INET6: 10 } as const

/** linux/netlink.h: protocols, socket options, message types and flags. */
export const NETLINK_ROUTE = 0
export const NETLINK_SOCK_DIAG = 4
export const NETLINK_NETFILTER = 12
export const SOL_NETLINK = 270
export const NETLINK_OPTION = {
  ADD_MEMBERSHIP: 1,
  DROP_MEMBERSHIP: 2,
  CAP_ACK: 10,
  EXT_ACK: 11,
  GET_STRICT_CHK: 12,
} as const
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const
export const NLM_F = {
  REQUEST: 0x1,
  ACK: 0x4,
  DUMP_INTR: 0x10,
  DUMP: 0x300,
  /** In an error or DONE: the request's payload is left out (CAP_ACK). */
  CAPPED: 0x100,
  /** In an error or DONE: attributes of the extended ACK follow. */
  ACK_TLVS: 0x200,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
} as const
export const NLMSGERR_ATTR = { MSG: 1 } as const
/** What is left of an attribute's type without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
export const NLA_TYPE_MASK = 0x3fff
export const NLA_F_NESTED = 0x8000

/** asm-generic/socket.h */
export const SOL_SOCKET = 1
export const SO = { RCVBUF: 8, RCVBUFFORCE: 33 } as const

/** linux/netfilter/nfnetlink.h and nf_tables.h: messages of subsystem 10, and the attribute that holds the generation (32 bits, big-endian). */
export const NFNL = { NEWGEN: 0x0a0f, GETGEN: 0x0a10, GEN_ID: 1 } as const

/** linux/sock_diag.h, linux/unix_diag.h and, for the states of sockets of any family, net/tcp_states.h */
export const SOCK_DIAG_BY_FAMILY = 20
export const UDIAG_SHOW = { NAME: 0x01, MEMINFO: 0x20, UID: 0x40 } as const
export const UNIX_DIAG = { NAME: 0, MEMINFO: 5, UID: 7 } as const
export const TCP = { CLOSE: 7, LISTEN: 10 } as const

/** linux/rtnetlink.h */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
  NEWRULE: 32,
  DELRULE: 33,
  GETRULE: 34,
} as const
export const RTNLGRP = {
  LINK: 1,
  NEIGH: 3,
  IPV4_IFADDR: 5,
  IPV4_ROUTE: 7,
  IPV4_RULE: 8,
  IPV6_IFADDR: 9,
  IPV6_ROUTE: 11,
  IPV6_RULE: 19,
} as const
export const RTEXT_FILTER_SKIP_STATS = 8
export const RTN = { UNSPEC: 0, UNICAST: 1, LOCAL: 2, BLACKHOLE: 6 } as const
export const RT_SCOPE = { UNIVERSE: 0, LINK: 253, NOWHERE: 255 } as const
export const RT_TABLE_MAIN = 254
export const RTM_F_CLONED = 0x200
/** In a question: say which table the route was found in. */
export const RTM_F_LOOKUP_TABLE = 0x1000
/** In a question: answer with the route as it stands in its table (since Linux 4.13), and not with what was made of it. */
export const RTM_F_FIB_MATCH = 0x2000
export const RTNH_F_ONLINK = 4
export const RTA = {
  DST: 1,
  SRC: 2,
  IIF: 3,
  OIF: 4,
  GATEWAY: 5,
  PRIORITY: 6,
  PREFSRC: 7,
  METRICS: 8,
  MULTIPATH: 9,
  FLOW: 11,
  CACHEINFO: 12,
  TABLE: 15,
  VIA: 18,
  ENCAP_TYPE: 21,
  ENCAP: 22,
  NH_ID: 30,
} as const

/** linux/fib_rules.h */
export const FRA = {
  DST: 1,
  SRC: 2,
  IIFNAME: 3,
  PRIORITY: 6,
  FWMARK: 10,
  TABLE: 15,
  FWMASK: 16,
  OIFNAME: 17,
  L3MDEV: 19,
} as const
export const FR_ACT = { TO_TBL: 1, GOTO: 2, NOP: 3, BLACKHOLE: 6, UNREACHABLE: 7, PROHIBIT: 8 } as const
export const FIB_RULE_INVERT = 2

/** linux/if.h */
export const IFF = { UP: 0x1, LOOPBACK: 0x8, LOWER_UP: 0x10000 } as const

/** linux/if_link.h */
export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  MASTER: 10,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  EXT_MASK: 29,
  PROTO_DOWN: 39,
  PROP_LIST: 52,
  ALT_IFNAME: 53,
} as const
export const IFLA_INFO = { KIND: 1, DATA: 2 } as const
export const IFLA_INET6_ADDR_GEN_MODE = 8
export const ADDR_GEN_MODE = { eui64: 0, none: 1 } as const
export const IFLA_VXLAN = {
  ID: 1,
  LINK: 3,
  LOCAL: 4,
  TTL: 5,
  LEARNING: 7,
  PORT: 15,
  LOCAL6: 17,
  UDP_CSUM: 18,
  GBP: 23,
  COLLECT_METADATA: 25,
} as const

/** linux/if_addr.h */
export const IFA = { ADDRESS: 1, LOCAL: 2, FLAGS: 8, PROTO: 11 } as const
export const IFA_F_NODAD = 0x02
export const IFA_F_NOPREFIXROUTE = 0x200

/** linux/neighbour.h */
export const NDA = { DST: 1, LLADDR: 2, PORT: 6, VNI: 7, IFINDEX: 8, MASTER: 9 } as const
export const NUD = { NOARP: 0x40, PERMANENT: 0x80 } as const
export const NTF_SELF = 0x02
