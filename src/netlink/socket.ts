import type { MessageBuffer } from './codec/buffer.ts'
import { refusal } from './codec/errors.ts'
import type { NetlinkAddon, SocketHandle } from '../native/load.ts'
import { NETLINK_OPTION, NETLINK_ROUTE, SO, SOL_NETLINK, SOL_SOCKET } from './codec/uapi.ts'

/** An rtnetlink socket. System errors come back as negated errnos, as from the addon. */
export class NetlinkSocket {
  readonly portId: number
  readonly #addon: NetlinkAddon
  readonly #handle: SocketHandle
  #closed = false
  #settle: ((status: undefined) => void) | undefined

  /**
   * Opens and binds the socket, with extended and capped acknowledgements and strict checking of dump requests.
   * @param receiveBufferBytes how much may wait unread before the kernel drops and reports ENOBUFS
   * @throws {KernelError} when the system does not give one
   */
  constructor(addon: NetlinkAddon, receiveBufferBytes: number) {
    const handle = addon.open(NETLINK_ROUTE)
    if (typeof handle === 'number') throw refusal('socket.open', 'NETLINK_ROUTE', -handle)
    this.#addon = addon
    this.#handle = handle
    this.portId = addon.portId(handle)
    for (const option of [NETLINK_OPTION.EXT_ACK, NETLINK_OPTION.CAP_ACK, NETLINK_OPTION.GET_STRICT_CHK])
      this.#demand(SOL_NETLINK, option, 1)
    // Beyond the system's limit only the initial namespace's administrator may go; everybody else gets what the limit allows.
    if (addon.setOption(handle, SOL_SOCKET, SO.RCVBUFFORCE, receiveBufferBytes) < 0)
      this.#demand(SOL_SOCKET, SO.RCVBUF, receiveBufferBytes)
  }

  isClosed(): boolean {
    return this.#closed
  }

  join(group: number): void {
    this.#demand(SOL_NETLINK, NETLINK_OPTION.ADD_MEMBERSHIP, group)
  }

  leave(group: number): void {
    this.#demand(SOL_NETLINK, NETLINK_OPTION.DROP_MEMBERSHIP, group)
  }

  /** Classic BPF instructions; a message for which the program returns 0 never reaches the socket. */
  filter(program: Uint8Array): void {
    const status = this.#addon.attachFilter(this.#handle, program)
    if (status < 0) this.#fail('attachFilter', -status)
  }

  /** The kernel has carried out all requests in `bytes` when this returns. */
  send(bytes: Uint8Array, length: number): number {
    return this.#addon.send(this.#handle, bytes, length)
  }

  /** @returns length of the next datagram, which is more than the buffer holds if it was cut */
  receive(into: MessageBuffer): number {
    return this.#addon.receive(this.#handle, into.bytes)
  }

  /** @returns octets of the datagrams that wait, as many as there are while `room` octets are left; one behind the other */
  receiveAll(into: MessageBuffer, room: number): number {
    return this.#addon.receiveAll(this.#handle, into.bytes, room)
  }

  /** Calls back with 0 whenever there is something to receive, with a negated errno when the socket has failed. */
  poll(ready: (status: number) => void): void {
    const status = this.#addon.poll(this.#handle, ready)
    if (status < 0) this.#fail('poll', -status)
  }

  /** Resolves with the status `poll` gives, or with undefined when there is none within `timeoutMs`. */
  readable(timeoutMs: number): Promise<number | undefined> {
    return new Promise((resolve) => {
      const settle = (status: number | undefined): void => {
        this.#settle = undefined
        clearTimeout(timer)
        if (!this.#closed) this.#addon.poll(this.#handle)
        resolve(status)
      }
      const timer = setTimeout(settle, timeoutMs, undefined)
      this.#settle = settle
      this.poll(settle)
    })
  }

  /** Whoever waits in `readable` is released. Closing twice is nothing. */
  close(): void {
    this.#closed = true
    this.#addon.close(this.#handle)
    this.#settle?.(undefined)
  }

  #demand(level: number, option: number, value: number): void {
    const status = this.#addon.setOption(this.#handle, level, option, value)
    if (status < 0) this.#fail(`option ${level}/${option}`, -status)
  }

  #fail(target: string, errno: number): never {
    this.close()
    throw refusal('socket', target, errno)
  }
}
