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
  const stop = (): void => {
    group.abort()
  }
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  const runs = tasks.map(async (task) => {
    try {
      await task.run(group.signal)
    } finally {
      stop()
    }
  })
  const outcomes = await Promise.allSettled(runs)
  signal.removeEventListener('abort', stop)
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []))
  const cause = failures.find((failure) => !isAbort(failure))
  if (cause !== undefined) throw cause instanceof Error ? cause : new Error('a task failed', { cause })
}

/** For loops that await: whether they have been told to stop meanwhile. */
export const isStopped = (signal: AbortSignal): boolean => signal.aborted

/** Being told to stop is no failure. */
const isAbort = (failure: unknown): boolean => failure instanceof Error && failure.name === 'AbortError'
