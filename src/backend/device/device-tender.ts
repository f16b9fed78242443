import { KernelError } from '../../kernel/kernel.ts'
import type { Ip } from '../../net/ip.ts'
import { sameIp } from '../../net/ip.ts'
import { DeviceError, type DevicePorts, type DeviceReport } from '../device-keeper.ts'
import { DeviceDamping } from './device-damping.ts'
import { DeviceLog } from './device-log.ts'
import { summaryOf, type DeviceSpec } from './deviation.ts'
import type { DeviceKind } from './kind.ts'
import { applyAll, tendDevice, type Mending } from './tend-device.ts'

export interface DeviceTenderInput {
  /** By its name of the moment. */
  readonly device: { readonly name: string }
  readonly ports: DevicePorts
  /** As {@link Mending.beforeAddress}. */
  readonly beforeAddress?: () => Promise<void>
}

/** What the keeper of a device asks for at a look. */
export interface TendRequest {
  readonly spec: Omit<DeviceSpec, 'formerAddresses'>
  readonly kind: DeviceKind
  /** What the device depends on of the underlay, as it is now: that it has changed is nobody's meddling. */
  readonly follows: string
}

/** What keepers of devices have in common, whatever the kind of theirs: mending with patience, the log, the end of an address. */
export class DeviceTender {
  readonly log: DeviceLog
  readonly #input: DeviceTenderInput
  readonly #damping: DeviceDamping
  readonly #formerAddresses: readonly Ip[]

  constructor(input: DeviceTenderInput) {
    const { device, ports } = input
    this.#input = input
    this.log = new DeviceLog(device, ports.log)
    this.#formerAddresses = (ports.formerSubnets ?? []).map(({ base }) => base)
    this.#damping = new DeviceDamping({
      ...ports,
      onFight: (over) => {
        this.log.fight(over)
      },
    })
  }

  /** @throws as {@link tendDevice} */
  async tend({ spec, kind, follows }: TendRequest, signal: AbortSignal): Promise<DeviceReport> {
    const isNew = !this.#damping.wasRight
    const whole = { ...spec, formerAddresses: this.#formerAddresses }
    this.#damping.expect(whole, kind.parameters)
    const { kernel } = this.#input.ports
    const tended = await tendDevice({ kernel, spec: whole, kind, mending: this.#mending() }, signal)
    const { link, outcome, foreign, postponed } = tended
    this.log.tended(tended, follows, isNew)
    return {
      linkIndex: link?.index,
      hasChanged: outcome !== 'unchanged',
      foreignAddresses: foreign,
      mtu: spec.mtu,
      problem: link === undefined ? undefined : await this.#refuseAdvertisements(),
      postponed: postponed.length === 0 ? undefined : summaryOf(postponed),
    }
  }

  /** How long until something that was put off is due, in milliseconds; undefined when nothing was. */
  dueInMs(): number | undefined {
    return this.#damping.nextDueInMs()
  }

  /**
   * With the last address of a device the kernel drops its routes and neighbours too; all that our containers still sent would have an
   * address that is not theirs any more. What cannot be done now is done when the next subnet is there.
   */
  async withdraw(address: Ip, signal: AbortSignal): Promise<void> {
    try {
      await this.#removeAddress(address, signal)
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      const { device, ports } = this.#input
      if (!signal.aborted)
        ports.log.warn(`cannot take the address of the lost subnet off ${device.name}: ${error.message}`)
    }
  }

  /** @throws {KernelError} */
  async #removeAddress(address: Ip, signal: AbortSignal): Promise<void> {
    const { device, ports } = this.#input
    const link = await ports.kernel.link(device.name, signal)
    const addresses = await ports.kernel.addresses(signal)
    const own = addresses.filter(({ linkIndex, ip }) => linkIndex === link?.index && sameIp(ip, address))
    await applyAll(
      ports.kernel,
      own.map(({ linkIndex, ip, prefixLength }) => ({ op: 'address.delete', linkIndex, ip, prefixLength }) as const),
      signal,
    )
  }

  #mending(): Mending {
    const damping = this.#damping
    return {
      due: (found) => damping.due(found),
      mended: (done) => {
        damping.mended(done)
      },
      beforeAddress: () => this.#input.beforeAddress?.() ?? Promise.resolve(),
    }
  }

  /**
   * Routers in the overlay, such as a container that plays one, must not reconfigure the host. Without IPv6 there are none.
   * @returns why they may
   */
  async #refuseAdvertisements(): Promise<DeviceError | undefined> {
    const { device, ports } = this.#input
    try {
      await ports.setSysctl(['net', 'ipv6', 'conf', device.name, 'accept_ra'], '0')
      return undefined
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if ('code' in error && error.code === 'ENOENT') return undefined
      const what = `cannot keep ${device.name} from accepting router advertisements: ${error.message}`
      return new DeviceError(what, { cause: error })
    }
  }
}
