import { assemble, BPF, WHOLE } from '../net/bpf.ts'
import type { Family } from '../net/ip.ts'
import { ECHO_HEADER, MAGIC } from '../probe/echo.ts'
import { ICMP, ICMPV6 } from './uapi.ts'

/**
 * Takes in answers with our identifier, and questions of agents; whatever other programs ask and are answered never reaches the socket. Of an
 * IPv4 packet, a raw socket sees the IP header too.
 */
export function echoFilter(family: Family, identifier: number): Uint8Array {
  const [reply, request] = family === 4 ? [ICMP.ECHO_REPLY, ICMP.ECHO] : [ICMPV6.ECHO_REPLY, ICMPV6.ECHO]
  return assemble([
    { code: family === 4 ? BPF.LOAD_HEADER_LENGTH : BPF.LOAD_INDEX, operand: 0 },
    { code: BPF.LOAD_BYTE_INDEXED, operand: 0 },
    { code: BPF.JUMP_IF_EQUAL, operand: request, then: 1 },
    { code: BPF.JUMP_IF_EQUAL, operand: reply, then: 2, otherwise: 5 },
    { code: BPF.LOAD_WORD_INDEXED, operand: ECHO_HEADER },
    { code: BPF.JUMP_IF_EQUAL, operand: MAGIC, then: 2, otherwise: 3 },
    { code: BPF.LOAD_HALF_INDEXED, operand: 4 },
    { code: BPF.JUMP_IF_EQUAL, operand: identifier, otherwise: 1 },
    { code: BPF.RETURN, operand: WHOLE },
    { code: BPF.RETURN, operand: 0 },
  ])
}

/** All types of ICMP but these, as ICMP_FILTER wants them: they are not even copied. */
export const unwantedTypes = (): Uint8Array =>
  new Uint8Array(Uint32Array.of(~((1 << ICMP.ECHO_REPLY) | (1 << ICMP.ECHO))).buffer)
