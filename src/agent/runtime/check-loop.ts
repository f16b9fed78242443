import type { Clock } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import { RateLimit } from '../../time/rate-limit.ts'
import { untilItWorks, type Remaining, type RetryPorts } from './retry.ts'
import { isStopped } from './task.ts'

/** Behind whatever asks for a look, one this often, in milliseconds. */
const PERIODIC_LOOK_MS = 60_000

/** Whoever changes something in a loop must not keep us busy. */
const LOOKS = { burst: 10, everyMs: 250 }

export interface CheckLoopInput {
  /** What is looked at, for the log: by its name of the moment. */
  readonly name: string | (() => string)
  readonly ports: RetryPorts & { readonly clock: Clock }
  /** One look, and what follows from it. @throws what {@link untilItWorks} cures, and then is called again */
  readonly look: (signal: AbortSignal) => Promise<void>
  /** What the last look has put off. */
  readonly remains?: () => Remaining | undefined
  /** How long from now the next one may be put off, in milliseconds; undefined: no matter. */
  readonly dueInMs: () => number | undefined
}

/** Looks at something again and again: when asked to, when it is due, and once a minute. Each is tried until it works. */
export class CheckLoop {
  readonly #input: CheckLoopInput
  readonly #asked = new Wakeup()
  readonly #rateLimit: RateLimit

  constructor(input: CheckLoopInput) {
    this.#input = input
    this.#rateLimit = new RateLimit(input.ports.clock, LOOKS)
  }

  /** Asks for a look; cuts the wait between two attempts short. */
  ask(): void {
    this.#asked.ring()
  }

  async run({ signal, rest }: Loop): Promise<void> {
    const { dueInMs } = this.#input
    /** Whoever asks for a look does not wait for the next attempt either. */
    const untilAsked: Loop = { signal, rest: (ms) => rest(ms, this.#asked) }
    while (!isStopped(signal)) {
      await this.#untilItWorks(untilAsked)
      if (isStopped(signal)) break
      await untilAsked.rest(Math.min(PERIODIC_LOOK_MS, dueInMs() ?? PERIODIC_LOOK_MS))
    }
  }

  async #untilItWorks(loop: Loop): Promise<void> {
    const { name, ports, remains } = this.#input
    await untilItWorks(name, (stop) => this.#attempt(stop), ports, loop, remains && { remains })
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    await this.#rateLimit.wait(signal)
    signal.throwIfAborted()
    await this.#input.look(signal)
  }
}
