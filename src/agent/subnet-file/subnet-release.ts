import type { Clock } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Logger } from '../../observe/logger.ts'
import type { SubnetFile } from './subnet-file.ts'
import { isStopped, type Task } from '../runtime/task.ts'

/** So long readers of the subnet file wait for the host when the overlay forwards already, in milliseconds. */
const HOST_WAIT_MS = 5_000

/** What of the host is waited for, and what is said when it does not come. */
const HOST = {
  firewall: 'the firewall does not answer; containers may be started before its rules stand',
  forwarding: 'the settings of the host do not answer; containers may be started before it forwards their packets',
} as const

type OfHost = keyof typeof HOST
const OF_HOST: readonly OfHost[] = ['firewall', 'forwarding']

/**
 * Decides when containers may be started, which is when their runtime finds the subnet file: when the overlay forwards, the rules
 * of the firewall stand and the host forwards in all families, or it is known why they do not. Containers that came before the rules would
 * have connections to the outside that nobody masquerades for as long as these last. A host that does not answer holds nobody up for long.
 */
export class SubnetRelease implements Task {
  readonly name = 'release of the subnet file'
  readonly #clock: Clock
  readonly #log: Logger
  readonly #file: Pick<SubnetFile, 'release'>
  readonly #news = new Wakeup()
  #isForwarding = false
  readonly #tried = new Set<OfHost>()

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }, file: Pick<SubnetFile, 'release'>) {
    this.#clock = clock
    this.#log = log
    this.#file = file
  }

  /** Whether the overlay forwards. */
  get isForwarding(): boolean {
    return this.#isForwarding
  }

  /** The overlay forwards. */
  forwards(): void {
    this.#isForwarding = true
    this.#news.ring()
  }

  /** All rules, or all settings by which the host forwards, have been tried. */
  hasTried(what: OfHost): void {
    this.#tried.add(what)
    this.#news.ring()
  }

  async run(loop: Loop): Promise<void> {
    const { signal, rest } = loop
    await this.#until(() => this.#isForwarding, Infinity, loop)
    await this.#until(() => this.#tried.size === OF_HOST.length, HOST_WAIT_MS, loop)
    if (isStopped(signal)) return
    for (const what of OF_HOST)
      if (!this.#tried.has(what)) this.#log.warn(HOST[what], { seconds: HOST_WAIT_MS / 1_000 })
    this.#file.release()
    await rest(Infinity)
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
