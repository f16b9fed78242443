/** Operations of classic BPF (linux/bpf_common.h). Loads take bytes as they stand, first one highest; an index register X may be added. */
export const BPF = {
  LOAD_BYTE: 0x30,
  LOAD_HALF: 0x28,
  LOAD_WORD: 0x20,
  LOAD_BYTE_INDEXED: 0x50,
  LOAD_HALF_INDEXED: 0x48,
  LOAD_WORD_INDEXED: 0x40,
  /** X = 4 * (byte & 15): the length of an IPv4 header. */
  LOAD_HEADER_LENGTH: 0xb1,
  LOAD_INDEX: 0x01,
  JUMP_IF_EQUAL: 0x15,
  JUMP_IF_GREATER_OR_EQUAL: 0x35,
  RETURN: 0x06,
} as const

/** What a filter returns that keeps all of a packet. */
export const WHOLE = 0xffff_ffff

export interface Instruction {
  readonly code: number
  /** Instructions to skip when the comparison holds, and when it does not. */
  readonly then?: number
  readonly otherwise?: number
  readonly operand: number
}

/** struct sock_filter (linux/filter.h): code, jump if true, jump if false, operand; host byte order. */
export function assemble(program: readonly Instruction[]): Uint8Array {
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
