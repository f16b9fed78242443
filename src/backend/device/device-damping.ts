import type { Clock, Random } from '../../time/clock.ts'
import { Damping } from '../../time/damping.ts'
import { expectationsOf, type Deviation, type DeviceProperty, type DeviceSpec } from './deviation.ts'
import type { Mending } from './tend-device.ts'

export interface DeviceDampingInput {
  readonly clock: Clock
  readonly random: Random
  /** Hears once of each property that somebody keeps changing, and again after it was left in peace. */
  readonly onFight: (over: Deviation) => void
}

/**
 * Mends each property of the device at once when it has been changed, and ever more slowly when somebody keeps changing it back.
 * One property's fight never delays another. What is found before the device was right for the first time is nobody's fault.
 */
export class DeviceDamping implements Mending {
  readonly #clock: Clock
  readonly #rows: Damping
  readonly #onFight: (over: Deviation) => void
  /** Properties found wrong and not mended yet. */
  readonly #open = new Set<DeviceProperty>()
  readonly #warned = new Set<DeviceProperty>()
  #expectations: ReadonlyMap<DeviceProperty, string> = new Map()
  /** Expected to be something else since the last look: that they are not yet is nobody's fault. */
  readonly #following = new Set<DeviceProperty>()
  #wasRight = false

  constructor({ clock, random, onFight }: DeviceDampingInput) {
    this.#clock = clock
    this.#rows = new Damping(random)
    this.#onFight = onFight
  }

  /** Whether the device has been right once. */
  get wasRight(): boolean {
    return this.#wasRight
  }

  /** From now on the device is to be like this, made with these parameters. */
  expect(spec: DeviceSpec, parameters: string): void {
    const expectations = expectationsOf(spec, parameters)
    for (const [property, text] of this.#expectations)
      if (expectations.get(property) !== text) this.#following.add(property)
    this.#expectations = expectations
  }

  due(found: readonly Deviation[]): readonly Deviation[] {
    this.#wasRight ||= found.length === 0
    if (!this.#wasRight) return found
    const nowMs = this.#clock.monotonicMs()
    this.#rows.expire(nowMs)
    for (const property of this.#open) if (!found.some((one) => one.property === property)) this.#close(property)
    for (const deviation of found) if (!this.#open.has(deviation.property)) this.#note(deviation, nowMs)
    this.#following.clear()
    return found.filter(({ property }) => this.#rows.notBeforeMs(property) <= nowMs)
  }

  #note(deviation: Deviation, nowMs: number): void {
    const { property } = deviation
    this.#open.add(property)
    if (this.#following.has(property)) return
    if (!this.#rows.undone(property, nowMs)) this.#warned.delete(property)
    else if (!this.#warned.has(property)) {
      this.#warned.add(property)
      this.#onFight(deviation)
    }
  }

  mended(done: readonly Deviation[]): void {
    for (const { property } of done) this.#close(property)
  }

  /** It is right for now. */
  #close(property: DeviceProperty): void {
    if (this.#open.delete(property)) this.#rows.written(property)
  }

  /** How long until something that was put off is due, in milliseconds; undefined when nothing was. */
  nextDueInMs(): number | undefined {
    if (this.#open.size === 0) return undefined
    const earliestMs = Math.min(...[...this.#open].map((property) => this.#rows.notBeforeMs(property)))
    return Math.max(0, earliestMs - this.#clock.monotonicMs())
  }
}
