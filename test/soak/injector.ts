import { setTimeout as delay } from 'node:timers/promises'
import { AGENT_FAULTS } from './agent-faults.ts'
import type { Fault, Machine, World } from './fault.ts'
import { KERNEL_FAULTS } from './kernel-faults.ts'
import { SeededRandom } from './random.ts'
import { STORE_FAULTS } from './store-faults.ts'
import { UNDERLAY_FAULTS } from './underlay-faults.ts'

export const FAULTS: readonly Fault[] = [...KERNEL_FAULTS, ...UNDERLAY_FAULTS, ...AGENT_FAULTS, ...STORE_FAULTS]

/** How often another choice is tried when what was chosen is not free. */
const TRIES = 20

/** Makes faults, one at a time by a seed's choice, and sees that each of them ends. */
export class Injector {
  readonly #world: World
  readonly #seed: number
  readonly #startedAtMs = performance.now()
  readonly #locked = new Set<string>()
  readonly #underWay = new Set<Promise<void>>()
  readonly #lastAtMs = new Map<Fault, number>()
  readonly #history: string[] = []
  readonly #counts = new Map<string, number>()
  #made = 0
  #failure: Error | undefined

  constructor(world: World, seed: number) {
    this.#world = world
    this.#seed = seed
  }

  /** Why a fault could not be made or ended: a mistake in here, or an agent that did not do as it was told. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** How often each was made. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** One line per beginning and end, with the time. */
  get history(): readonly string[] {
    return this.#history
  }

  /** Makes the next one; it may go on for a while. */
  strike(): void {
    const random = new SeededRandom(this.#seed, this.#made++)
    for (let at = 0; at < TRIES; at++) {
      const fault = random.pickWeighted(FAULTS)
      const machine = random.pick(this.#world.machines)
      if (fault === undefined || machine === undefined || !this.#isFree(fault, machine)) continue
      const work = this.#run(fault, machine, random).finally(() => this.#underWay.delete(work))
      this.#underWay.add(work)
      return
    }
  }

  /** Waits until every fault is over. */
  async quiet(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  #isFree(fault: Fault, machine: Machine): boolean {
    if (fault.restartsAgent === true && machine.isMeasured) return false
    const lastAtMs = this.#lastAtMs.get(fault) ?? this.#startedAtMs
    if (performance.now() - lastAtMs < (fault.atMostEveryMs ?? 0)) return false
    return !fault.locks(machine).some((lock) => this.#locked.has(lock))
  }

  async #run(fault: Fault, machine: Machine, random: SeededRandom): Promise<void> {
    const locks = fault.locks(machine)
    for (const lock of locks) this.#locked.add(lock)
    this.#lastAtMs.set(fault, performance.now())
    this.#counts.set(fault.name, (this.#counts.get(fault.name) ?? 0) + 1)
    try {
      this.#say(fault, machine, '')
      const lasting = await fault.strike(this.#world, machine, random)
      if (lasting === undefined) return
      await delay(lasting.forMs)
      await lasting.end()
      this.#say(fault, machine, ': over')
    } catch (error) {
      this.#failure ??= new Error(`${fault.name} (${machine.host.name})`, { cause: error })
    } finally {
      for (const lock of locks) this.#locked.delete(lock)
    }
  }

  #say({ name }: Fault, { host }: Machine, ending: string): void {
    this.#history.push(`${new Date().toISOString()} ${host.name}: ${name}${ending}`)
  }
}
