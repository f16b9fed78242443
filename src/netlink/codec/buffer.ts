/**
 * Bytes of netlink messages with views of the host's byte order, which is what all header fields and most attributes have
 * (linux/netlink.h). Everything in netlink starts on a multiple of 4, so the views always fit.
 */
export class MessageBuffer {
  readonly bytes: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array

  /** `size` in bytes; rounded up to a multiple of 4. */
  constructor(size: number) {
    const memory = new ArrayBuffer(align4(size))
    this.bytes = new Uint8Array(memory)
    this.u16 = new Uint16Array(memory)
    this.u32 = new Uint32Array(memory)
  }

  /** Gives the memory back now, and not when it is collected, where this Node can do that (22 and later). Nothing can be read from then on. */
  release(): void {
    const memory = this.bytes.buffer
    const transfer: unknown = Reflect.get(memory, 'transfer')
    if (typeof transfer === 'function') Reflect.apply(transfer, memory, [0])
  }
}

/** NLMSG_ALIGN and NLA_ALIGN: messages and attributes start on multiples of 4. */
export const align4 = (length: number): number => (length + 3) & ~3
