/** Numbers of the kernel's user interface that ICMP needs, each group under the header it is defined in. */

/** linux/in.h, linux/icmpv6.h and linux/icmp.h: a set of types that are not wanted, a bit each. */
export const SOL_RAW = 255
export const ICMP_FILTER = 1

/** linux/errqueue.h: who says that a packet does not arrive. */
export const SO_EE_ORIGIN_LOCAL = 1

/** linux/icmp.h */
export const ICMP = { ECHO_REPLY: 0, UNREACHABLE: 3, ECHO: 8, TIME_EXCEEDED: 11 } as const
/** linux/icmpv6.h */
export const ICMPV6 = { UNREACHABLE: 1, TOO_BIG: 2, TIME_EXCEEDED: 3, ECHO: 128, ECHO_REPLY: 129 } as const
