import { RTM } from './codec/uapi.ts'

/** Classic BPF operations (linux/bpf_common.h). Loads take bytes as they stand, first one highest. */
const LOAD_WORD = 0x20
const LOAD_HALF = 0x28
const JUMP_IF_EQUAL = 0x15
const JUMP_IF_GREATER_OR_EQUAL = 0x35
const RETURN = 0x06

/** Offsets in nlmsghdr. */
const TYPE = 4
const PORT_ID = 12

const WHOLE_MESSAGE = 0xffff_ffff

interface Instruction {
  readonly code: number
  /** Instructions to skip when the comparison holds, and when it does not. */
  readonly then?: number
  readonly otherwise?: number
  readonly operand: number
}

/** Numbers in host order as a filter's loads see them. */
const loaded16 = (value: number): number => new DataView(Uint16Array.of(value).buffer).getUint16(0)
const loaded32 = (value: number): number => new DataView(Uint32Array.of(value).buffer).getUint32(0)

/**
 * A socket filter that drops notifications of routes and neighbours changed through the socket `portId`. The kernel puts the port
 * id of whoever asked into nlmsg_pid, and no two sockets of a namespace share one, so nobody else's change is ever dropped. What
 * the kernel does on its own has port id 0 and passes, and so do every change to a VXLAN fdb, the end of a neighbour ({@link Echoes} knows
 * which of them are ours), links and addresses (types below).
 */
export function echoFilter(portId: number): Uint8Array {
  return assemble([
    { code: LOAD_HALF, operand: TYPE },
    { code: JUMP_IF_GREATER_OR_EQUAL, operand: loaded16(RTM.NEWROUTE), otherwise: 2 },
    { code: LOAD_WORD, operand: PORT_ID },
    { code: JUMP_IF_EQUAL, operand: loaded32(portId), then: 1 },
    { code: RETURN, operand: WHOLE_MESSAGE },
    { code: RETURN, operand: 0 },
  ])
}

/** struct sock_filter (linux/filter.h): code, jump if true, jump if false, operand; host byte order. */
function assemble(program: readonly Instruction[]): Uint8Array {
  const memory = new ArrayBuffer(program.length * 8)
  const bytes = new Uint8Array(memory)
  program.forEach(({ code, then = 0, otherwise = 0, operand }, index) => {
    new Uint16Array(memory)[index * 4] = code
    bytes[index * 8 + 2] = then
    bytes[index * 8 + 3] = otherwise
    new Uint32Array(memory)[index * 2 + 1] = operand
  })
  return bytes
}
