/** Numbers of the kernel's user interface that ICMP needs, each group under the header it is defined in. */

/** linux/in.h, linux/icmpv6.h and linux/icmp.h: a set of types that are not wanted, a bit each. */
export const SOL_RAW = 255
export const ICMP_FILTER = 1

/** asm-generic/socket.h: how much may lie in the socket unread, within the system's limit and beyond it (CAP_NET_ADMIN). */
export const SOL_SOCKET = 1
export const SO_RCVBUF = 8
export const SO_RCVBUFFORCE = 33

/** linux/errqueue.h: who says that a packet does not arrive. */
export const SO_EE_ORIGIN_LOCAL = 1

/** linux/icmp.h */
export const ICMP = { ECHO_REPLY: 0, UNREACHABLE: 3, ECHO: 8, TIME_EXCEEDED: 11 } as const
/** linux/icmpv6.h */
export const ICMPV6 = { UNREACHABLE: 1, TOO_BIG: 2, TIME_EXCEEDED: 3, ECHO: 128, ECHO_REPLY: 129 } as const
