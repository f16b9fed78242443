import type { Clock } from '../../time/clock.ts'
import { RunningTime } from './running-time.ts'
import type { Task, TaskContext } from './task.ts'

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

/** Knows what is under way, and how long it may take: a task whose round never ends is dead, though its process lives. */
export class Watchdog implements Task {
  readonly name = 'running time'
  readonly #running: RunningTime
  readonly #open = new Set<Work>()

  /** @param onLate told by how much the process was late for a timer, in milliseconds; must not throw */
  constructor(clock: Clock, onLate?: (ms: number) => void) {
    this.#running = new RunningTime(clock, onLate)
  }

  /** Keeps track of the time. */
  run({ signal }: Pick<TaskContext, 'signal'>): Promise<void> {
    return this.#running.run(signal)
  }

  begin(what: string, mostMs: number): Work {
    const work = { what, mostMs, sinceMs: this.#running.readMs() }
    this.#open.add(work)
    return work
  }

  end(work: Work): void {
    this.#open.delete(work)
  }

  /** Hands `answer` through, and counts it as under way until it settles. */
  async during<T>(what: string, mostMs: number, answer: Promise<T>): Promise<T> {
    const work = this.begin(`${what}: no answer`, mostMs)
    try {
      return await answer
    } finally {
      this.end(work)
    }
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
