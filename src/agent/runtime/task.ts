import { setMaxListeners } from 'node:events'
import type { Clock } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { Rounds } from './rounds.ts'
import type { Watchdog } from './watchdog.ts'

/** What tasks that run side by side have in common. */
export interface Runtime {
  /** Aborts when they are to stop. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly watchdog: Watchdog
}

/** What the runner hands to each task. */
export interface TaskContext extends Runtime, Loop {
  /** Waits for what is not this task's own work: meanwhile nothing is expected of it. */
  readonly idle: <T>(others: Promise<T>) => Promise<T>
}

/** Something that runs until its signal aborts. Its constructor only stores; whatever begins, begins with `run`. */
export interface Task {
  readonly name: string
  /**
   * How long one round may take, from its waking to its next rest ({@link TaskContext.rest}), in milliseconds; a task that takes longer
   * has got stuck. Absent: nobody expects rounds of it, since it only follows what others tell it.
   */
  readonly roundMs?: number
  run(context: TaskContext): Promise<void>
}

/**
 * How long one round may take, in milliseconds, by what it waits for: far more than it ever takes, and for all that run programs or ask
 * etcd more than the deadlines of everything that may follow each other.
 */
export const ROUND_MS = { settings: 30_000, files: 60_000, kernel: 180_000, programs: 180_000, etcd: 300_000 } as const

/**
 * Runs tasks side by side until one of them ends, by returning or by failing, or the signal aborts; then stops the others and waits for
 * them. Nothing is left running when this returns.
 * @throws what the first failing task threw
 */
export async function runTogether(tasks: readonly Task[], { signal, clock, watchdog }: Runtime): Promise<void> {
  const group = new AbortController()
  setMaxListeners(0, group.signal) // every task sleeps on it: more than ten are no leak
  const stop = (): void => {
    group.abort()
  }
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  let failure: { readonly cause: unknown } | undefined
  const runs = tasks.map(async (task) => {
    try {
      await runTask(task, { signal: group.signal, clock, watchdog })
    } catch (cause) {
      if (!group.signal.aborted) failure = { cause } // what fails after that fails because it was stopped
    }
    stop()
  })
  await Promise.all(runs)
  signal.removeEventListener('abort', stop)
  if (failure !== undefined) throw asError(failure.cause)
}

/** Runs one task, watched from its beginning to its end. @throws what it throws */
export async function runTask(task: Task, runtime: Runtime): Promise<void> {
  const { signal, clock, watchdog } = runtime
  const rounds = new Rounds(task.name, task.roundMs ?? Infinity, watchdog)
  const context: TaskContext = {
    ...runtime,
    rest: (ms, bell) => rounds.rest(ms, bell === undefined ? clock.sleep(ms, signal) : bell.wait(clock, ms, signal)),
    idle: (others) => rounds.rest(Infinity, others),
  }
  rounds.begin()
  try {
    await task.run(context)
  } finally {
    rounds.end()
  }
}

const asError = (cause: unknown): Error => (cause instanceof Error ? cause : new Error('a task failed', { cause }))

/** For loops that await: whether they have been told to stop meanwhile. */
export const isStopped = (signal: AbortSignal): boolean => signal.aborted
