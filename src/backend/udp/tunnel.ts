import type { Kernel, LinkState } from '../../kernel/kernel.ts'
import { TUN_PATTERN } from '../../kernel/marks.ts'
import type { Forwarder, ForwarderCounts, TunDevice } from '../../kernel/tun.ts'
import type { DeviceKind } from '../device/kind.ts'
import { explainRefusal } from './refusals.ts'
import type { TunnelSettings } from './settings.ts'

/** Name of the device where nobody else has one of the pattern. */
export const USUAL_NAME = TUN_PATTERN.replace('%d', '0')

const NO_TRAFFIC = { packets: 0, octets: 0 }
const NOTHING: ForwarderCounts = { sent: NO_TRAFFIC, received: NO_TRAFFIC, drops: {}, peers: [] }

export interface TunnelInput {
  readonly kernel: Kernel
  /** Called with whoever forwards from now on. */
  readonly onForwarder: (forwarder: Forwarder | undefined) => void
}

/** A device that is there. */
interface Made {
  readonly tun: TunDevice
  /** Of its link. */
  readonly index: number
}

/**
 * A TUN device, and the forwarder that carries its packets: both last as long as this process. While the forwarder cannot be started, as
 * with a port that is taken, the device stays, or each attempt would be an event for the whole host.
 */
export class Tunnel implements DeviceKind {
  readonly #input: TunnelInput
  #settings: TunnelSettings | undefined
  #made: Made | undefined
  #forwarder: Forwarder | undefined
  /** What the forwarder was started with. */
  #startedWith: TunnelSettings | undefined

  constructor(input: TunnelInput) {
    this.#input = input
  }

  get name(): string {
    return this.#made?.tun.name ?? USUAL_NAME
  }

  get parameters(): string {
    const { address, port } = this.#settings ?? {}
    return `${address?.text ?? ''} ${port ?? ''}`
  }

  /** While nobody forwards, nothing has been. */
  counts(): ForwarderCounts {
    return this.#forwarder?.counts() ?? NOTHING
  }

  /** From now on it is to be like this: what can be so at once is. */
  expect(settings: TunnelSettings): void {
    this.#settings = settings
    this.#forwarder?.setMtu(settings.mtu)
  }

  async find(signal: AbortSignal): Promise<LinkState | undefined> {
    const link = await this.#input.kernel.link(this.name, signal)
    return link?.index === this.#made?.index ? link : undefined
  }

  async findRenamed(signal: AbortSignal): Promise<LinkState | undefined> {
    if (this.#made === undefined) return undefined
    const { index } = this.#made
    return (await this.#input.kernel.links(signal)).find((link) => link.index === index)
  }

  incompatibility(): string | undefined {
    const [settings, started] = [this.#settings, this.#startedWith]
    if (this.#forwarder === undefined || settings === undefined || started === undefined)
      return 'nobody carries its packets'
    if (started.address.text !== settings.address.text)
      return `its packets are sent from ${started.address.text}, not ${settings.address.text}`
    const failure = this.#forwarder.failure()
    return failure === undefined ? undefined : `who carries its packets has failed: ${failure}`
  }

  /** Makes what of it is missing. @throws {KernelError} */
  async make(signal: AbortSignal): Promise<void> {
    const settings = this.#settings
    if (settings === undefined) throw new TypeError('a tunnel is made as it is expected to be')
    if (this.#made !== undefined && (await this.find(signal)) === undefined) this.close()
    const { tun } = (this.#made ??= await this.#open(signal))
    this.#forwarder = tun.forward(settings)
    this.#startedWith = settings
    this.#input.onForwarder(this.#forwarder)
  }

  async #open(signal: AbortSignal): Promise<Made> {
    const { kernel } = this.#input
    const tun = await kernel.openTun(TUN_PATTERN, signal)
    try {
      const link = await kernel.link(tun.name, signal)
      return { tun, index: link?.index ?? 0 }
    } catch (error) {
      tun.close()
      throw error
    }
  }

  /** Of a device that can be kept, the forwarder goes alone. */
  remove({ name }: LinkState): Promise<void> {
    const isSpoilt = name !== this.name || this.#forwarder?.failure() !== undefined
    if (isSpoilt) this.close()
    else this.#stop()
    return Promise.resolve()
  }

  explain(error: unknown): Promise<unknown> {
    return Promise.resolve(this.#settings === undefined ? error : explainRefusal(error, this.#settings))
  }

  /** Whatever has the port is no device. */
  former(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  #stop(): void {
    this.#forwarder?.stop()
    this.#forwarder = undefined
    this.#startedWith = undefined
    this.#input.onForwarder(undefined)
  }

  /** The device goes. Twice is nothing. */
  close(): void {
    this.#stop()
    this.#made?.tun.close()
    this.#made = undefined
  }
}
