import type { Clock } from '../../time/clock.ts'
import { RunningTime } from './running-time.ts'

/** Something that has begun and not ended for longer than it may take. */
export interface StuckWork {
  /** What, and what it fails to do. */
  readonly what: string
  readonly forMs: number
}

/** Something that has begun, and must end in time. */
export interface Work {
  readonly what: string
  /** In running time, as all here. */
  readonly sinceMs: number
  readonly mostMs: number
}

/** What is under way, and how long it may take: a loop whose turn never ends is dead, though its process lives. */
export class Watchdog {
  readonly #running: RunningTime
  readonly #open = new Set<Work>()

  constructor(clock: Clock) {
    this.#running = new RunningTime(clock)
  }

  /** Keeps track of the time. */
  run(signal: AbortSignal): Promise<void> {
    return this.#running.run(signal)
  }

  begin(what: string, mostMs: number): Work {
    const turn = { what, mostMs, sinceMs: this.#running.readMs() }
    this.#open.add(turn)
    return turn
  }

  end(turn: Work): void {
    this.#open.delete(turn)
  }

  /** Hands `work` through, and counts it as under way until it settles. */
  async during<T>(what: string, mostMs: number, work: Promise<T>): Promise<T> {
    const turn = this.begin(`${what}: no answer`, mostMs)
    try {
      return await work
    } finally {
      this.end(turn)
    }
  }

  /** The same port, of which every call that answers later is a turn. What is not a promise, such as a stream of events, is not. */
  oversee<T extends object>(name: string, mostMs: number, port: T): T {
    return new Proxy(port, {
      get: (target, property): unknown => {
        const member: unknown = Reflect.get(target, property)
        if (typeof member !== 'function') return member
        return (...args: readonly unknown[]): unknown => {
          const answer: unknown = Reflect.apply(member, target, args)
          return answer instanceof Promise ? this.during(`${name} ${String(property)}`, mostMs, answer) : answer
        }
      },
    })
  }

  /** Those that have taken too long, the longest first. */
  get stuck(): readonly StuckWork[] {
    const nowMs = this.#running.readMs()
    return [...this.#open]
      .filter(({ sinceMs, mostMs }) => nowMs - sinceMs > mostMs)
      .map(({ what, sinceMs }) => ({ what, forMs: nowMs - sinceMs }))
      .sort((a, b) => b.forMs - a.forMs)
  }
}
