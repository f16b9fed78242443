import type { Logger } from '../../observe/logger.ts'
import type { LinkState } from '../../kernel/kernel.ts'
import { listed, type Deviation } from './deviation.ts'
import type { TendedDevice } from './tend-device.ts'

/** Says what was found and done about the device, for the log. */
export class DeviceLog {
  readonly #device: { readonly name: string }
  readonly #log: Logger
  /** What the device depends on of the underlay, as it was at the last look. */
  #followed: string | undefined
  #clamped: string | undefined

  /** @param device by its name of the moment */
  constructor(device: { readonly name: string }, log: Logger) {
    this.#device = device
    this.#log = log
  }

  /** Somebody keeps changing the device. */
  fight({ property, found }: Deviation): void {
    const who =
      property === 'name'
        ? 'A rule of udev, a .link file of systemd or a script?'
        : 'Another agent, NetworkManager or a script?'
    this.#log.warn(
      `${this.#device.name} keeps being changed from outside (${found}); mending it ever more slowly. ${who}`,
    )
  }

  /** What a look led to; `isNew` at the first. `followed`: what the device depends on of the underlay, as it is now. */
  tended({ link, outcome, mended, removed }: TendedDevice, followed: string, isNew: boolean): void {
    for (const device of removed)
      this.#log.info(
        `device ${device} of a former configuration kept ${this.#device.name} from its UDP port, and is removed`,
      )
    const follows = this.#followed !== undefined && this.#followed !== followed
    this.#followed = followed
    if (outcome === 'unchanged') return
    const fields = { device: this.#device.name, mac: link?.mac, mtu: link?.mtu }
    const done = outcome === 'adopted' ? 'mended' : 'made anew'
    const because = outcome === 'created' ? undefined : listed(mended)
    const log = this.#log
    if (isNew) log.info(`device ${outcome}`, { ...fields, because }, { kind: 'device-made', outcome })
    else if (follows)
      log.info(`device ${this.#device.name} follows the underlay: ${listed(mended)}; ${done}`, fields, {
        kind: 'device-followed',
        outcome,
        because,
      })
    else if (outcome === 'created')
      log.info(`device ${this.#device.name} was deleted from outside; made anew`, fields, {
        kind: 'device-restored',
        outcome,
      })
    else
      log.info(`device ${this.#device.name} was changed from outside: ${listed(mended)}; ${done}`, fields, {
        kind: 'device-restored',
        outcome,
        because,
      })
  }

  /** A configured MTU that the underlay does not carry is worth saying once, and again for another one. */
  mtu(configured: number | undefined, used: number, { name }: LinkState): void {
    const clamped = configured === undefined || configured <= used ? undefined : `${configured} ${used}`
    if (clamped !== undefined && clamped !== this.#clamped)
      this.#log.warn(`Backend.MTU is ${configured ?? ''}, but ${name} carries only ${used}: taking ${used}`)
    this.#clamped = clamped
  }
}
