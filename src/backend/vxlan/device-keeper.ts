import type { BackendConfig, VxlanConfig } from '../../config/backend.ts'
import { deviceName } from '../../kernel/marks.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import { DeviceTender } from '../device/device-tender.ts'
import { DeviceError, type DeviceKeeper, type DevicePorts, type DeviceReport } from '../device-keeper.ts'
import { deviceSpec, usedUnderlayMtu, vxlanSettings } from './device-spec.ts'
import { vxlanDevice } from './vxlan-device.ts'
import { vtepAddress, type Vtep } from './vtep.ts'

export interface VxlanDeviceKeeperInput {
  readonly vtep: Vtep
  /** How the device is to be at first. */
  readonly config: VxlanConfig
  readonly ports: DevicePorts
}

/** Keeps the VXLAN device of one family as it must be. It outlives the agent. */
export class VxlanDeviceKeeper implements DeviceKeeper {
  readonly name: string
  readonly endPoint: NonNullable<DeviceKeeper['endPoint']>
  readonly #vtep: Vtep
  readonly #ports: DevicePorts
  readonly #tender: DeviceTender
  #config: VxlanConfig

  constructor({ vtep, config, ports }: VxlanDeviceKeeperInput) {
    this.name = deviceName(vtep.family, vtep.vni)
    this.endPoint = { mac: vtep.mac, vni: vtep.vni, port: config.port }
    this.#vtep = vtep
    this.#ports = ports
    this.#config = config
    this.#tender = new DeviceTender({ device: this, ports, beforeAddress: () => this.#enableIpv6() })
  }

  async tend(underlay: Underlay, signal: AbortSignal): Promise<DeviceReport> {
    const config = this.#config
    const spec = deviceSpec(this.#vtep, config, underlay)
    const { local, underlayIndex } = spec.vxlan
    const follows = `${local?.text ?? ''} ${underlayIndex} ${spec.mtu}`
    const kind = vxlanDevice(this.#ports.kernel, spec)
    const report = await this.#tender.tend({ spec, kind, follows }, signal)
    this.#tender.log.mtu(config.underlayMtu, usedUnderlayMtu(config, underlay), underlay.link)
    return report
  }

  dueInMs(): number | undefined {
    return this.#tender.dueInMs()
  }

  check(config: BackendConfig, underlay: Underlay): void {
    deviceSpec(this.#vtep, vxlanSettings(config), underlay)
  }

  /** Name, VNI and port stay. */
  configure(config: BackendConfig): void {
    this.#config = vxlanSettings(config)
  }

  async withdraw(signal: AbortSignal): Promise<void> {
    await this.#tender.withdraw(vtepAddress(this.#vtep), signal)
  }

  /**
   * A host that has IPv6 off for interfaces to come (conf.default.disable_ipv6) refuses our device's address; one that turns it off later
   * takes the address away.
   * @throws {DeviceError}
   */
  async #enableIpv6(): Promise<void> {
    if (this.#vtep.family === 4) return
    const setting = ['net', 'ipv6', 'conf', this.name, 'disable_ipv6']
    try {
      await this.#ports.setSysctl(setting, '0')
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause
      if ('code' in cause && cause.code === 'ENOENT') return // then the address is refused, with better words
      const what = `IPv6 is off on ${this.name} and cannot be turned on (${cause.message})`
      throw new DeviceError(`${what}. Cure: sysctl -w net.ipv6.conf.default.disable_ipv6=0`, { cause })
    }
  }
}
