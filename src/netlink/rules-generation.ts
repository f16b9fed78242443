import { loadAddon, type NetlinkAddon, type SocketHandle } from '../native/load.ts'
import { MessageBuffer } from './codec/buffer.ts'
import { AF, NETLINK_NETFILTER, NFNL, NLM_F } from './codec/uapi.ts'

/** Octets of nlmsghdr and nfgenmsg, and of an attribute's header. */
const HEADERS = 20
const ATTRIBUTE_HEADER = 4
/** Of the answer: headers, the generation, and the name and number of who made it. */
const ROOM = 256

/**
 * The generation of nftables' rules in this network namespace: another after whatever has changed any of them, by nft or by the iptables that
 * is on it. One question to the kernel, which answers it before the call returns; counters of packets do not count.
 * @returns undefined: the kernel does not say
 */
export class RulesGeneration {
  readonly #addon: NetlinkAddon
  readonly #buffer = new MessageBuffer(ROOM)
  #handle: SocketHandle | undefined

  constructor(addon: NetlinkAddon = loadAddon()) {
    this.#addon = addon
  }

  read(): number | undefined {
    const handle = (this.#handle ??= this.#open())
    if (handle === undefined) return undefined
    const { bytes, u16, u32 } = this.#buffer
    bytes.fill(0, 0, HEADERS)
    u32[0] = HEADERS
    u16[2] = NFNL.GETGEN
    u16[3] = NLM_F.REQUEST
    bytes[16] = AF.UNSPEC
    const length = this.#addon.send(handle, bytes, HEADERS) < 0 ? -1 : this.#addon.receive(handle, bytes)
    if (length >= HEADERS && length <= bytes.length && u16[2] === NFNL.NEWGEN) return this.#generation(length)
    this.#forget()
    return undefined
  }

  #open(): SocketHandle | undefined {
    const handle = this.#addon.open(NETLINK_NETFILTER)
    return typeof handle === 'number' ? undefined : handle
  }

  /** Whatever else comes is not to be taken for the answer to the next question. */
  #forget(): void {
    if (this.#handle !== undefined) this.#addon.close(this.#handle)
    this.#handle = undefined
  }

  #generation(length: number): number | undefined {
    const { bytes, u16 } = this.#buffer
    for (let at = HEADERS; at + ATTRIBUTE_HEADER <= length;) {
      const [size = 0, type = 0] = [u16[at / 2], u16[at / 2 + 1]]
      if (type === NFNL.GEN_ID && size === ATTRIBUTE_HEADER + 4)
        return new DataView(bytes.buffer).getUint32(at + ATTRIBUTE_HEADER)
      at += Math.max(ATTRIBUTE_HEADER, (size + 3) & ~3)
    }
    return undefined
  }
}
