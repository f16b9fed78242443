import { setMaxListeners } from 'node:events'
import type { Clock } from '../../../src/time/clock.ts'

/** One run of a program: it may be asked to stop, killed, or frozen for a while (SIGSTOP), and then knows nothing of the time it lost. */
export class Process {
  /** Aborts when it is asked to stop (SIGTERM). */
  readonly signal: AbortSignal
  /** Time as it sees it: its timers fire when it runs. */
  readonly clock: Clock
  readonly #world: Clock
  readonly #stop = new AbortController()
  readonly #waiting: (() => void)[] = []
  #state: 'runs' | 'is frozen' | 'is over' = 'runs'
  /** When it was started or thawed, on the world's clock. */
  #runsSinceMs: number

  constructor(world: Clock) {
    this.#world = world
    this.#runsSinceMs = world.monotonicMs()
    this.signal = this.#stop.signal
    setMaxListeners(0, this.signal)
    this.clock = {
      monotonicMs: () => world.monotonicMs(),
      sleep: async (ms, signal) => {
        await world.sleep(ms, signal)
        await this.turn()
      },
    }
  }

  get isFrozen(): boolean {
    return this.#state === 'is frozen'
  }

  get isOver(): boolean {
    return this.#state === 'is over'
  }

  /** How long it has run without a break, in milliseconds. */
  get runsForMs(): number {
    return this.#state === 'runs' ? this.#world.monotonicMs() - this.#runsSinceMs : 0
  }

  /** Resolves as soon as it runs; never, once it was killed. */
  turn(): Promise<void> {
    if (this.#state === 'runs') return Promise.resolve()
    return new Promise((resolve) => {
      if (this.#state === 'is frozen') this.#waiting.push(resolve)
    })
  }

  freeze(): void {
    if (this.#state === 'runs') this.#state = 'is frozen'
  }

  thaw(): void {
    if (this.#state !== 'is frozen') return
    this.#state = 'runs'
    this.#runsSinceMs = this.#world.monotonicMs()
    for (const goOn of this.#waiting.splice(0)) goOn()
  }

  stop(): void {
    this.thaw()
    this.#stop.abort()
  }

  kill(): void {
    this.#state = 'is over'
    this.#waiting.length = 0
  }
}
