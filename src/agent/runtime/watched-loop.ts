import type { Clock } from '../../time/clock.ts'
import type { AgentPorts } from './ports.ts'
import type { Task } from './task.ts'
import type { Work, Watchdog } from './watchdog.ts'

/**
 * The clock of one loop, and by that its watchman. A loop works, rests (by this clock) and works again: each rest is as long as it says,
 * and what it does between two of them must end in time, or the loop has got stuck, whatever it waits for.
 */
export class WatchedLoop implements Clock {
  readonly #what: string
  readonly #mostMs: number
  readonly #clock: Clock
  readonly #watchdog: Pick<Watchdog, 'begin' | 'end'>
  #work: Work | undefined
  /** Rests under way. Of several at once nobody knows whose round is over: nothing is expected of it then. */
  #resting = 0

  /** @param mostMs of one round, from its waking to its next rest */
  constructor(what: string, mostMs: number, clock: Clock, watchdog: Pick<Watchdog, 'begin' | 'end'>) {
    this.#what = `${what}: has not come round`
    this.#mostMs = mostMs
    this.#clock = clock
    this.#watchdog = watchdog
  }

  /** Runs the loop, which is watched from its beginning to its end. */
  async during(run: () => Promise<void>): Promise<void> {
    this.#expect(this.#mostMs)
    try {
      await run()
    } finally {
      if (this.#work !== undefined) this.#watchdog.end(this.#work)
      this.#work = undefined
    }
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs()
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.#resting++
    this.#came(ms + this.#mostMs)
    await this.#clock.sleep(ms, signal)
    this.#resting--
    this.#came(this.#resting === 0 ? this.#mostMs : Infinity)
  }

  /** It has come round, and will be heard of again this much later. Before it runs, and after, nobody waits for it. */
  #came(withinMs: number): void {
    if (this.#work !== undefined) this.#expect(this.#resting > 1 ? Infinity : withinMs)
  }

  #expect(withinMs: number): void {
    if (this.#work !== undefined) this.#watchdog.end(this.#work)
    this.#work = this.#watchdog.begin(this.#what, withinMs)
  }
}

/**
 * How long one round of a loop may take, in milliseconds, by what it waits for: far more than it ever takes, and for all who run
 * programs or ask etcd more than the deadlines of everything that may follow each other.
 */
export const ROUND_MS = { settings: 30_000, files: 60_000, kernel: 180_000, programs: 180_000, etcd: 300_000 } as const

/** A task whose loop is watched, and what it is to be made with. */
export interface Watched<Ports> {
  readonly ports: Ports
  readonly task: (run: (signal: AbortSignal) => Promise<void>) => Task
}

/** @param mostMs one of {@link ROUND_MS} */
export function watched<Ports extends Pick<AgentPorts, 'clock' | 'status'>>(
  name: string,
  mostMs: number,
  ports: Ports,
): Watched<Ports> {
  const loop = new WatchedLoop(name, mostMs, ports.clock, ports.status.watchdog)
  return {
    ports: { ...ports, clock: loop },
    task: (run) => ({ name, run: (signal) => loop.during(() => run(signal)) }),
  }
}
