import type { Clock } from '../../time/clock.ts'
import type { Family } from '../../net/ip.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Logger } from '../../observe/logger.ts'
import type { SubnetFile } from './subnet-file.ts'
import type { AgentStatus } from '../runtime/status.ts'
import { isStopped, type Task } from '../runtime/task.ts'

/** So long readers of the subnet file wait for the host when the overlay forwards already, in milliseconds. */
const HOST_WAIT_MS = 5_000

/** What of the host is waited for, and what is said when it does not come. */
const HOST = {
  firewall: 'the firewall does not answer; containers may be started before its rules stand',
  forwarding: 'the settings of the host do not answer; containers may be started before it forwards their packets',
} as const

/** So long the first family waits for the others, in milliseconds: what keeps one from coming up does not hold the other back for longer. */
const FAMILIES_WAIT_MS = 5_000

type OfHost = keyof typeof HOST
const OF_HOST: readonly OfHost[] = ['firewall', 'forwarding']

export interface SubnetReleaseInput {
  readonly ports: { readonly clock: Clock; readonly log: Logger; readonly status: Pick<AgentStatus, 'goesWithout'> }
  readonly file: Pick<SubnetFile, 'release'>
  /** The first has the say: without it, nothing is released. */
  readonly families: readonly Family[]
}

/**
 * Decides when containers may be started, which is when their runtime finds the subnet file: when the overlay forwards, the rules
 * of the firewall stand and the host forwards in all families, or it is known why they do not. Containers that came before the rules would
 * have connections to the outside that nobody masquerades for as long as these last. A host that does not answer holds nobody up for long, nor
 * does a family that does not come up: containers are started without it, and the file says both once it does.
 */
export class SubnetRelease implements Task {
  readonly name = 'release of the subnet file'
  readonly #clock: Clock
  readonly #log: Logger
  readonly #status: SubnetReleaseInput['ports']['status']
  readonly #file: SubnetReleaseInput['file']
  readonly #families: readonly Family[]
  readonly #news = new Wakeup()
  readonly #forwarding = new Set<Family>()
  readonly #tried = new Set<OfHost>()

  constructor({ ports: { clock, log, status }, file, families }: SubnetReleaseInput) {
    this.#clock = clock
    this.#log = log
    this.#status = status
    this.#file = file
    this.#families = families
  }

  /** Whether the overlay forwards, in some family. */
  get isForwarding(): boolean {
    return this.#forwarding.size > 0
  }

  /** The overlay forwards in this family. */
  forwards(family: Family): void {
    this.#forwarding.add(family)
    this.#news.ring()
  }

  /** All rules, or all settings by which the host forwards, have been tried. */
  hasTried(what: OfHost): void {
    this.#tried.add(what)
    this.#news.ring()
  }

  async run(loop: Loop): Promise<void> {
    const { signal, rest } = loop
    await this.#until(() => this.#isLed, Infinity, loop)
    await this.#until(() => this.#missing.length === 0, FAMILIES_WAIT_MS, loop)
    await this.#until(() => this.#tried.size === OF_HOST.length, HOST_WAIT_MS, loop)
    if (isStopped(signal)) return
    for (const what of OF_HOST)
      if (!this.#tried.has(what)) this.#log.warn(HOST[what], { seconds: HOST_WAIT_MS / 1_000 })
    for (const family of this.#missing)
      this.#log.warn(`IPv${family} is not set up; containers may be started without it, until it is`)
    while (!isStopped(signal)) {
      const missing = this.#missing
      this.#file.release(this.#forwarding)
      this.#status.goesWithout(missing)
      await this.#until(() => this.#missing.length < missing.length, Infinity, loop)
    }
    await rest(Infinity)
  }

  /** Without the first family the file says nothing: whoever reads it looks for that. */
  get #isLed(): boolean {
    const [leader] = this.#families
    return leader !== undefined && this.#forwarding.has(leader)
  }

  get #missing(): readonly Family[] {
    return this.#families.filter((family) => !this.#forwarding.has(family))
  }

  async #until(isSo: () => boolean, mostMs: number, { signal, rest }: Loop): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + mostMs
    while (!isStopped(signal) && !isSo()) {
      const leftMs = untilMs - this.#clock.monotonicMs()
      if (leftMs <= 0) return
      await rest(leftMs, this.#news)
    }
  }
}
