import { bridgeEscape, forwardingName, isOn, turnOn, type ForwardingPorts } from '../../host/forwarding.ts'
import type { Loop } from '../../time/loop.ts'
import type { Clock, Random } from '../../time/clock.ts'
import type { Family } from '../../net/ip.ts'
import type { Logger } from '../../observe/logger.ts'
import { Damping } from '../../time/damping.ts'
import type { ConditionReports } from '../runtime/conditions.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'

export interface ForwardingTaskInput {
  readonly ports: ForwardingPorts & {
    readonly clock: Clock
    readonly random: Random
    readonly log: Logger
    readonly conditions: ConditionReports
  }
  readonly families: readonly Family[]
  /** Whether rules for forwarded packets are asked for. */
  readonly hasRules: boolean
  /** Between looks, in milliseconds. */
  readonly everyMs: number
}

/** However short the interval asked for, in milliseconds. */
const SHORTEST_MS = 1_000

/**
 * Keeps the host forwarding, without which no packet gets from the overlay to a container: the settings are looked at every so often,
 * since nothing tells of a change, and turned on where they are off.
 */
export class ForwardingTask implements Task {
  readonly name = 'forwarding of the host'
  readonly roundMs = ROUND_MS.settings
  readonly #input: ForwardingTaskInput
  readonly #damping: Damping
  /** Families whose setting has been seen, or made, as it should be. */
  readonly #stood = new Set<Family>()

  constructor(input: ForwardingTaskInput) {
    this.#input = input
    this.#damping = new Damping(input.ports.random)
  }

  async run({ signal, rest }: Loop): Promise<void> {
    const { families, everyMs } = this.#input
    await this.#sayBridge()
    while (!isStopped(signal)) {
      for (const family of families) await this.#look(family, signal)
      await rest(Math.max(SHORTEST_MS, everyMs))
    }
  }

  async #look(family: Family, signal: AbortSignal): Promise<void> {
    try {
      if (!(await isOn(family, this.#input.ports)) && !(await this.#turnOn(family, signal))) return
      this.#isFine(family)
    } catch (error) {
      if (isStopped(signal)) return
      if (!(error instanceof Error && 'code' in error)) throw error
      this.#failed(family, error)
    }
  }

  /** @returns whether it is on now; where somebody keeps turning it off, that has to wait */
  async #turnOn(family: Family, signal: AbortSignal): Promise<boolean> {
    const { ports } = this.#input
    const name = forwardingName(family)
    const nowMs = ports.clock.monotonicMs()
    if (nowMs < this.#damping.notBeforeMs(name)) {
      ports.conditions.fails(name, 'is off: somebody keeps turning it off', 'unready', { says: false })
      return false
    }
    const { keptRouters } = await turnOn(family, ports, signal)
    for (const link of keptRouters)
      ports.log.info(
        'router advertisements are heeded although the host forwards, or it would lose its default route',
        {
          iface: link,
          accept_ra: 2,
        },
      )
    this.#sayTurnedOn(family, nowMs)
    return true
  }

  #sayTurnedOn(family: Family, nowMs: number): void {
    const { log } = this.#input.ports
    const name = forwardingName(family)
    if (!this.#stood.has(family)) log.info(`${name} was off, turned on: containers are reached through this host`)
    else if (this.#damping.undone(name, nowMs))
      log.warn(`${name} keeps being turned off; turning it on again ever more slowly. A firewall, or a boot script?`)
    else log.warn(`${name} was turned off by somebody, turned on again`)
  }

  #isFine(family: Family): void {
    this.#stood.add(family)
    this.#input.ports.conditions.holds(forwardingName(family))
  }

  #failed(family: Family, { message }: Error): void {
    const name = forwardingName(family)
    const reason = `is not on, and cannot be turned on: ${message}`
    this.#input.ports.conditions.fails(name, reason, 'unready', {
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
