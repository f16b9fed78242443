import type { AgentStatus } from './status.ts'
import { isStopped, type Task, type TaskContext } from './task.ts'
import { Wakeup } from '../../time/wakeup.ts'

/** The memory of this process. */
export interface Memory {
  /** What is resident of it, in octets. */
  readonly size: () => number
  /** Has garbage collected, which goes on for a moment after this returns. */
  readonly collect: () => void
  /** Gives back to the kernel what has been freed. */
  readonly release: () => void
}

/** A start without an overlay is over after this, in milliseconds. */
const LONGEST_START_MS = 60_000
/** What is put off until the start is over is done by then, in milliseconds. */
const SETTLED_MS = 4_000
/**
 * Collections that belong to a start, and the time between them in milliseconds. The second lets go of functions that only a start has run: V8 knows of
 * those that were run after the first. Of a function with machine code that goes first, which leaves something to the third; it also finds what a host with
 * other work has put off.
 */
const OF_A_START = 3
const AT_REST_MS = 10_000
/** A collection is over by then, and V8 has given up the pages that it keeps for a while, in milliseconds. */
const COLLECTED_MS = 9_000
/** Between two looks at the size, in milliseconds. */
const LOOK_MS = 60_000
/** So much more than after the last collection is worth another. */
const GROWN = { times: 1.1, octets: 8e6 } as const

/**
 * Collects what a start leaves behind, and what much work does later: nothing is allocated at rest, so nobody would collect it. V8 does so by itself
 * now and then, and keeps most of the pages.
 */
export class MemoryTask implements Task {
  readonly name = 'memory'
  readonly #memory: Memory
  readonly #status: Pick<AgentStatus, 'state' | 'subscribe'>
  readonly #settled: () => void
  #collections = 0
  /** After the last collection, in octets. */
  #size = 0

  /** @param settled called once, when the start is over */
  constructor(memory: Memory, status: Pick<AgentStatus, 'state' | 'subscribe'>, settled: () => void) {
    this.#memory = memory
    this.#status = status
    this.#settled = settled
  }

  async run(context: TaskContext): Promise<void> {
    const { rest, signal } = context
    await this.#start(context)
    while (!isStopped(signal)) {
      if (this.#collections < OF_A_START || this.#hasGrownForGood()) await this.#collect(rest)
      await rest(this.#collections < OF_A_START ? AT_REST_MS : LOOK_MS)
    }
  }

  /** Waits until the start is over. */
  async #start({ rest, clock, signal }: TaskContext): Promise<void> {
    const bell = new Wakeup()
    const startedMs = clock.monotonicMs()
    const leftMs = (): number => startedMs + LONGEST_START_MS - clock.monotonicMs()
    const unsubscribe = this.#status.subscribe(() => {
      bell.ring()
    })
    while (!isStopped(signal) && !this.#status.state.ready && leftMs() > 0) await rest(leftMs(), bell)
    unsubscribe()
    await rest(SETTLED_MS)
  }

  async #collect(rest: TaskContext['rest']): Promise<void> {
    if (this.#collections++ === 0) this.#settled()
    this.#memory.collect()
    await rest(COLLECTED_MS)
    this.#memory.release()
    this.#size = this.#memory.size()
  }

  /** Whether it has grown, and not only by what has been freed since: the kernel's tables are read once in a minute, and let go of. */
  #hasGrownForGood(): boolean {
    this.#memory.release()
    return this.#memory.size() > Math.max(GROWN.times * this.#size, this.#size + GROWN.octets)
  }
}
