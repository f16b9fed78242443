import type { Family } from '../net/ip.ts'
import { ICMP, ICMPV6, SO_EE_ORIGIN_LOCAL } from './uapi.ts'

/** Codes of `destination unreachable` (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1). */
const UNREACHABLE_4: readonly string[] = [
  ...['network unreachable', 'host unreachable', 'protocol unreachable', 'port unreachable', 'fragmentation needed'],
  ...['source route failed', 'network unknown', 'host unknown', 'source host isolated', 'network prohibited'],
  ...['host prohibited', 'network unreachable for this service', 'host unreachable for this service'],
  ...['communication prohibited', 'host precedence violation', 'precedence cutoff'],
]

/** The same of ICMPv6 (RFC 4443 §3.1). */
const UNREACHABLE_6: readonly string[] = [
  ...['no route to destination', 'communication prohibited', 'beyond scope of source address'],
  ...['address unreachable', 'port unreachable', 'source address failed policy', 'reject route'],
]

/** What was said against a packet, as the socket's error queue has it. */
export interface SaidAgainst {
  readonly family: Family
  readonly origin: number
  readonly type: number
  readonly code: number
  /** Name of the error that the system makes of it. */
  readonly error: string
  /** Who says so; undefined: this host. */
  readonly from: string | undefined
}

/** `host unreachable from 10.0.0.1` */
export function refusalWords({ family, origin, type, code, error, from }: SaidAgainst): string {
  if (origin === SO_EE_ORIGIN_LOCAL || from === undefined) return `${error} on this host`
  return `${wordsOf(family, type, code) ?? error} from ${from}`
}

function wordsOf(family: Family, type: number, code: number): string | undefined {
  if (family === 4) {
    if (type === ICMP.TIME_EXCEEDED) return 'time exceeded'
    return type === ICMP.UNREACHABLE ? UNREACHABLE_4[code] : undefined
  }
  if (type === ICMPV6.TOO_BIG) return 'packet too big'
  if (type === ICMPV6.TIME_EXCEEDED) return 'time exceeded'
  return type === ICMPV6.UNREACHABLE ? UNREACHABLE_6[code] : undefined
}
