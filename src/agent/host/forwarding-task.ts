import { bridgeEscape, type ForwardingPorts } from '../../host/forwarding.ts'
import type { KernelChange } from '../../kernel/kernel.ts'
import type { Loop } from '../../time/loop.ts'
import type { Clock, Random } from '../../time/clock.ts'
import type { Family } from '../../net/ip.ts'
import type { Logger } from '../../observe/logger.ts'
import { Damping } from '../../time/damping.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Conditions } from '../runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'
import { deviceSetting, hostSetting, type ForwardingSetting } from './forwarding-setting.ts'

export interface ForwardingTaskInput {
  readonly ports: ForwardingPorts & {
    readonly clock: Clock
    readonly random: Random
    readonly log: Logger
    readonly conditions: Pick<Conditions, 'fails' | 'holds' | 'drop'>
  }
  readonly families: readonly Family[]
  /** Name of our device for IPv4, at the moment; undefined: there is none. */
  readonly device: () => string | undefined
  /** Whether rules for forwarded packets are asked for. */
  readonly hasRules: boolean
  /** Between looks, in milliseconds. */
  readonly everyMs: number
  /** Called after every look: the host forwards in all families, or it is known why it does not. Must not throw. */
  readonly onLooked: () => void
}

/** However short the interval asked for, in milliseconds. */
const SHORTEST_MS = 1_000

/**
 * Keeps the host forwarding, without which no packet gets from the overlay to a container: the settings are looked at every so often,
 * and when our device is reported to be new, and turned on where they are off.
 */
export class ForwardingTask implements Task {
  readonly name = 'forwarding of the host'
  readonly roundMs = ROUND_MS.settings
  readonly #input: ForwardingTaskInput
  readonly #damping: Damping
  readonly #ofHost: readonly ForwardingSetting[]
  readonly #look = new Wakeup()
  /** Settings that have been seen, or made, as they should be, by name. */
  readonly #stood = new Set<string>()
  #deviceIndex: number | undefined

  constructor(input: ForwardingTaskInput) {
    const { ports, families } = input
    this.#input = input
    this.#damping = new Damping(ports.random)
    this.#ofHost = families.map((family) => hostSetting(family, ports))
  }

  async run({ signal, rest }: Loop): Promise<void> {
    await this.#sayBridge()
    while (!isStopped(signal)) {
      for (const setting of this.#ofHost) await this.#tend(setting, signal)
      const ofDevice = this.#ofDevice
      if (ofDevice !== undefined) await this.#tend(ofDevice, signal)
      if (isStopped(signal)) return
      this.#input.onLooked()
      await rest(Math.max(SHORTEST_MS, this.#input.everyMs), this.#look)
    }
  }

  /** The kernel reports a change: another device of our name comes with settings of its own, which are nobody's doing. */
  observe(change: KernelChange): void {
    if (change.kind !== 'link' || change.gone) return
    const { name, index } = change.link
    if (index === this.#deviceIndex || name !== this.#input.device()) return
    this.#deviceIndex = index
    this.#stood.delete(this.#ofDevice?.name ?? '')
    this.#look.ring()
  }

  get #ofDevice(): ForwardingSetting | undefined {
    const { device, ports } = this.#input
    const name = device()
    return name === undefined ? undefined : deviceSetting(name, ports)
  }

  async #tend(setting: ForwardingSetting, signal: AbortSignal): Promise<void> {
    const { conditions } = this.#input.ports
    try {
      const isOn = await setting.isOn()
      if (isOn === undefined) conditions.drop(setting.name)
      else if (isOn || (await this.#turnOn(setting, signal))) this.#isFine(setting)
    } catch (error) {
      if (isStopped(signal)) return
      if (!(error instanceof Error && 'code' in error)) throw error
      this.#failed(setting, error)
    }
  }

  /** @returns whether it is on now; where somebody keeps turning it off, that has to wait */
  async #turnOn(setting: ForwardingSetting, signal: AbortSignal): Promise<boolean> {
    const { ports } = this.#input
    const { name } = setting
    const nowMs = ports.clock.monotonicMs()
    if (nowMs < this.#damping.notBeforeMs(name)) {
      ports.conditions.fails(name, 'is off: somebody keeps turning it off', 'unready', { says: false })
      return false
    }
    await setting.turnOn(signal)
    this.#sayTurnedOn(setting, nowMs)
    return true
  }

  #sayTurnedOn({ name, because }: ForwardingSetting, nowMs: number): void {
    const { log } = this.#input.ports
    if (!this.#stood.has(name)) log.info(`${name} was off, turned on: ${because}`)
    else if (this.#damping.undone(name, nowMs))
      log.warn(`${name} keeps being turned off; turning it on again ever more slowly. A firewall, or a boot script?`)
    else log.warn(`${name} was turned off by somebody, turned on again`)
  }

  #isFine({ name }: ForwardingSetting): void {
    this.#stood.add(name)
    this.#input.ports.conditions.holds(name)
  }

  #failed({ name }: ForwardingSetting, error: Error): void {
    const reason = `is not on, and cannot be turned on: ${error.message}`
    this.#input.ports.conditions.fails(name, reason, 'unready', {
      error,
      says:
        `${name} ${reason}; containers are not reached from other hosts until it is. Cure: sysctl -w ${name}=1 on the host (and in ` +
        '/etc/sysctl.d for the next boot), or let the agent write to /proc/sys',
      saysHolds: `${name} is on now`,
      repeats: false,
    })
  }

  /** Who relies on rules for packets between containers should know when these do not meet them. */
  async #sayBridge(): Promise<void> {
    const { ports, families, hasRules } = this.#input
    if (!hasRules) return
    const escape = await bridgeEscape(families, ports).catch(() => undefined)
    if (escape !== undefined)
      ports.log.info(
        `${escape}: packets between containers on one bridge of this host do not pass the firewall; those between hosts do`,
      )
  }
}
