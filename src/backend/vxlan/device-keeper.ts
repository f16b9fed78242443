import type { BackendConfig, VxlanConfig } from '../../config/backend.ts'
import { KernelError } from '../../kernel/kernel.ts'
import { deviceName } from '../../kernel/marks.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import { sameIp, type Ip } from '../../net/ip.ts'
import { DeviceError, type DeviceKeeper, type DevicePorts, type DeviceReport } from '../device-keeper.ts'
import { DeviceDamping } from './device-damping.ts'
import { DeviceLog } from './device-log.ts'
import { deviceSpec, usedUnderlayMtu, vxlanSettings } from './device-spec.ts'
import { tendDevice, type Mending } from './tend-device.ts'
import { vtepAddress, type Vtep } from './vtep.ts'

export interface VxlanDeviceKeeperInput {
  readonly vtep: Vtep
  /** How the device is to be at first. */
  readonly config: VxlanConfig
  readonly ports: DevicePorts
}

/** Keeps the VXLAN device of one family as it must be. */
export class VxlanDeviceKeeper implements DeviceKeeper {
  readonly name: string
  readonly endPoint: NonNullable<DeviceKeeper['endPoint']>
  readonly #vtep: Vtep
  readonly #ports: DevicePorts
  readonly #damping: DeviceDamping
  readonly #reporter: DeviceLog
  readonly #formerAddresses: readonly Ip[]
  #config: VxlanConfig

  constructor({ vtep, config, ports }: VxlanDeviceKeeperInput) {
    this.name = deviceName(vtep.family, vtep.vni)
    this.endPoint = { mac: vtep.mac, vni: vtep.vni, port: config.port }
    this.#vtep = vtep
    this.#ports = ports
    this.#config = config
    this.#formerAddresses = (ports.formerSubnets ?? []).map(({ base }) => base)
    this.#reporter = new DeviceLog({ name: this.name, log: ports.log })
    this.#damping = new DeviceDamping({
      ...ports,
      onFight: (over) => {
        this.#reporter.fight(over)
      },
    })
  }

  async tend(underlay: Underlay, signal: AbortSignal): Promise<DeviceReport> {
    const config = this.#config
    const spec = { ...deviceSpec(this.#vtep, config, underlay), formerAddresses: this.#formerAddresses }
    const isNew = !this.#damping.wasRight
    this.#damping.expect(spec)
    const tended = await tendDevice(this.#ports.kernel, spec, this.#mending(), signal)
    this.#reporter.mtu(config.underlayMtu, usedUnderlayMtu(config, underlay), underlay.link)
    this.#reporter.tended(spec, tended, isNew)
    const { link, outcome } = tended
    return {
      linkIndex: link?.index,
      hasChanged: outcome !== 'unchanged',
      foreignAddresses: tended.foreign,
      mtu: spec.mtu,
      problem: link === undefined ? undefined : await this.#refuseAdvertisements(),
    }
  }

  dueInMs(): number | undefined {
    return this.#damping.nextDueInMs()
  }

  check(config: BackendConfig, underlay: Underlay): void {
    deviceSpec(this.#vtep, vxlanSettings(config), underlay)
  }

  /** Name, VNI and port stay. */
  configure(config: BackendConfig): void {
    this.#config = vxlanSettings(config)
  }

  /**
   * With the last address of a device the kernel drops its routes and neighbours too; all that our containers still sent would have an
   * address that is not theirs any more. What cannot be done now is done when the next subnet is there.
   */
  async withdraw(signal: AbortSignal): Promise<void> {
    try {
      await this.#removeAddress(signal)
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      const { log } = this.#ports
      if (!signal.aborted) log.warn(`cannot take the address of the lost subnet off ${this.name}: ${error.message}`)
    }
  }

  /** @throws {KernelError} */
  async #removeAddress(signal: AbortSignal): Promise<void> {
    const { kernel } = this.#ports
    const link = await kernel.link(this.name, signal)
    const addresses = await kernel.addresses(signal)
    const ours = vtepAddress(this.#vtep)
    const own = addresses.filter(({ linkIndex, ip }) => linkIndex === link?.index && sameIp(ip, ours))
    const results = await kernel.apply(
      own.map(({ linkIndex, ip, prefixLength }) => ({ op: 'address.delete', linkIndex, ip, prefixLength }) as const),
      signal,
    )
    for (const result of results) if (!result.ok) throw result.error
  }

  #mending(): Mending {
    const damping = this.#damping
    return {
      due: (found) => damping.due(found),
      mended: (done) => {
        damping.mended(done)
      },
      beforeAddress: () => this.#enableIpv6(),
    }
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

  /**
   * Routers in the overlay, such as a container that plays one, must not reconfigure the host. Without IPv6 there are none.
   * @returns why they may
   */
  async #refuseAdvertisements(): Promise<DeviceError | undefined> {
    try {
      await this.#ports.setSysctl(['net', 'ipv6', 'conf', this.name, 'accept_ra'], '0')
      return undefined
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if ('code' in error && error.code === 'ENOENT') return undefined
      const what = `cannot keep ${this.name} from accepting router advertisements: ${error.message}`
      return new DeviceError(what, { cause: error })
    }
  }
}
