import { assemble, BPF, WHOLE } from '../net/bpf.ts'
import { RTM } from './codec/uapi.ts'

/** Offsets in nlmsghdr. */
const TYPE = 4
const PORT_ID = 12

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
    { code: BPF.LOAD_HALF, operand: TYPE },
    { code: BPF.JUMP_IF_GREATER_OR_EQUAL, operand: loaded16(RTM.NEWROUTE), otherwise: 2 },
    { code: BPF.LOAD_WORD, operand: PORT_ID },
    { code: BPF.JUMP_IF_EQUAL, operand: loaded32(portId), then: 1 },
    { code: BPF.RETURN, operand: WHOLE },
    { code: BPF.RETURN, operand: 0 },
  ])
}
