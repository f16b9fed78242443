import type { BackendConfig, UdpConfig } from '../../config/backend.ts'
import { DEVICE_ALIAS } from '../../kernel/marks.ts'
import type { ForwarderCounts } from '../../kernel/tun.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { OwnSubnet } from '../backend.ts'
import { DeviceTender } from '../device/device-tender.ts'
import { DeviceError, type DeviceKeeper, type DevicePorts, type DeviceReport } from '../device-keeper.ts'
import type { ForwardedPeers } from './forwarded-peers.ts'
import { tunnelSettings, udpSettings } from './settings.ts'
import { Tunnel, USUAL_NAME } from './tunnel.ts'

export interface UdpDeviceKeeperInput {
  readonly own: OwnSubnet
  readonly config: UdpConfig
  readonly ports: DevicePorts
  readonly peers: Pick<ForwardedPeers, 'attach'>
}

/** Keeps the TUN device, and whoever carries its packets, as they must be. It goes with the session. */
export class UdpDeviceKeeper implements DeviceKeeper {
  readonly endPoint: NonNullable<DeviceKeeper['endPoint']>
  readonly #own: OwnSubnet
  readonly #ports: DevicePorts
  readonly #tender: DeviceTender
  readonly #tunnel: Tunnel
  readonly #config: UdpConfig
  /** The name that was said not to be the usual one. */
  #saidName: string = USUAL_NAME

  constructor({ own, config, ports, peers }: UdpDeviceKeeperInput) {
    this.#own = own
    this.#config = config
    this.#ports = ports
    this.endPoint = { port: config.port }
    this.#tunnel = new Tunnel({
      kernel: ports.kernel,
      onForwarder: (forwarder) => {
        peers.attach(forwarder)
      },
    })
    this.#tender = new DeviceTender({ device: this, ports })
  }

  /** That of the device that there is, or the usual one. */
  get name(): string {
    return this.#tunnel.name
  }

  counts(): ForwarderCounts {
    return this.#tunnel.counts()
  }

  async tend(underlay: Underlay, signal: AbortSignal): Promise<DeviceReport> {
    const { overlay, subnet } = this.#own
    const settings = tunnelSettings(subnet, this.#config, underlay)
    const { mtu, address } = settings
    this.#tunnel.expect(settings)
    const spec = { name: this.name, mtu, alias: DEVICE_ALIAS, address: subnet.base, network: overlay.network }
    const follows = `${address.text} ${mtu}`
    const report = await this.#tender.tend({ spec, kind: this.#tunnel, follows }, signal)
    if (report.linkIndex === undefined) return report
    await this.#sayName(signal)
    return { ...report, problem: report.problem ?? (await this.#acceptOwn()) }
  }

  dueInMs(): number | undefined {
    return this.#tender.dueInMs()
  }

  check(config: BackendConfig, underlay: Underlay): void {
    tunnelSettings(this.#own.subnet, udpSettings(config), underlay)
  }

  /** Of its settings, a running agent follows none. */
  configure(config: BackendConfig): void {
    udpSettings(config)
  }

  withdraw(): Promise<void> {
    this.#tunnel.close()
    return Promise.resolve()
  }

  end(): void {
    this.#tunnel.close()
  }

  /** Who looks for the usual name should know who has it. @throws {KernelError} */
  async #sayName(signal: AbortSignal): Promise<void> {
    const { name } = this
    if (name === this.#saidName) return
    this.#saidName = name
    const other = await this.#ports.kernel.link(USUAL_NAME, signal)
    if (other === undefined) return
    this.#ports.log.warn(
      `a device named ${USUAL_NAME} exists that is not ours (${other.kind ?? 'a plain device'}): ours is named ${name}. ` +
        `Where something goes by the name, remove the other (ip link delete ${USUAL_NAME}) and restart flanneld`,
    )
  }

  /**
   * What the forwarder says to senders (ICMP) comes in by the device, from the device's own address, which the kernel takes for forged
   * (fib_validate_source).
   * @returns why it may be lost
   */
  async #acceptOwn(): Promise<DeviceError | undefined> {
    try {
      await this.#ports.setSysctl(['net', 'ipv4', 'conf', this.name, 'accept_local'], '1')
      return undefined
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if ('code' in error && error.code === 'ENOENT') return undefined
      const what = `senders do not learn through ${this.name} that a container is not reached: ${error.message}`
      return new DeviceError(what, { cause: error })
    }
  }
}
