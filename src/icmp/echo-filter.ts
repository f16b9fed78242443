import type { Family } from '../net/ip.ts'
import { ECHO_HEADER, MAGIC } from '../probe/echo.ts'
import { ICMP, ICMPV6 } from './uapi.ts'

/** Classic BPF operations (linux/bpf_common.h). Loads take bytes as they stand, first one highest; an index register X may be added. */
const LOAD_BYTE_INDEXED = 0x50
const LOAD_HALF_INDEXED = 0x48
const LOAD_WORD_INDEXED = 0x40
/** X = 4 * (byte & 15): the length of an IPv4 header. */
const LOAD_HEADER_LENGTH = 0xb1
const LOAD_INDEX = 0x01
const JUMP_IF_EQUAL = 0x15
const RETURN = 0x06

const WHOLE_PACKET = 0xffff_ffff

type Instruction = readonly [code: number, then: number, otherwise: number, operand: number]

/**
 * Takes in answers with our identifier, and questions of agents; whatever other programs ask and are answered never reaches the socket. Of an
 * IPv4 packet, a raw socket sees the IP header too.
 */
export function echoFilter(family: Family, identifier: number): Uint8Array {
  const [reply, request] = family === 4 ? [ICMP.ECHO_REPLY, ICMP.ECHO] : [ICMPV6.ECHO_REPLY, ICMPV6.ECHO]
  return assemble([
    family === 4 ? [LOAD_HEADER_LENGTH, 0, 0, 0] : [LOAD_INDEX, 0, 0, 0],
    [LOAD_BYTE_INDEXED, 0, 0, 0],
    [JUMP_IF_EQUAL, 1, 0, request],
    [JUMP_IF_EQUAL, 2, 5, reply],
    [LOAD_WORD_INDEXED, 0, 0, ECHO_HEADER],
    [JUMP_IF_EQUAL, 2, 3, MAGIC],
    [LOAD_HALF_INDEXED, 0, 0, 4],
    [JUMP_IF_EQUAL, 0, 1, identifier],
    [RETURN, 0, 0, WHOLE_PACKET],
    [RETURN, 0, 0, 0],
  ])
}

/** All types of ICMP but these, as ICMP_FILTER wants them: they are not even copied. */
export const unwantedTypes = (): Uint8Array =>
  new Uint8Array(Uint32Array.of(~((1 << ICMP.ECHO_REPLY) | (1 << ICMP.ECHO))).buffer)

/** struct sock_filter (linux/filter.h): code, jump if true, jump if false, operand; host byte order. */
function assemble(program: readonly Instruction[]): Uint8Array {
  const memory = new ArrayBuffer(program.length * 8)
  const bytes = new Uint8Array(memory)
  program.forEach(([code, then, otherwise, operand], index) => {
    new Uint16Array(memory)[index * 4] = code
    bytes[index * 8 + 2] = then
    bytes[index * 8 + 3] = otherwise
    new Uint32Array(memory)[index * 2 + 1] = operand
  })
  return bytes
}
