import { setMaxListeners } from 'node:events'

/** Something that runs until its signal aborts. */
export interface Task {
  readonly name: string
  run(signal: AbortSignal): Promise<void>
}

/**
 * Runs tasks side by side until one of them ends, by returning or by failing, or `signal` aborts; then stops the others and waits for
 * them. Nothing is left running when this returns.
 * @throws what the first failing task threw
 */
export async function runTogether(tasks: readonly Task[], signal: AbortSignal): Promise<void> {
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
      await task.run(group.signal)
    } catch (cause) {
      if (!group.signal.aborted) failure = { cause } // what fails after that fails because it was stopped
    }
    stop()
  })
  await Promise.all(runs)
  signal.removeEventListener('abort', stop)
  if (failure !== undefined) throw asError(failure.cause)
}

const asError = (cause: unknown): Error => (cause instanceof Error ? cause : new Error('a task failed', { cause }))

/** For loops that await: whether they have been told to stop meanwhile. */
export const isStopped = (signal: AbortSignal): boolean => signal.aborted
