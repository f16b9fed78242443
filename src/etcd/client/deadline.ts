import { storeError, toStoreError, type CallSite } from './errors.ts'

/** Bounds of one call. */
export interface Bounds extends CallSite {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Runs `work` for at most `timeoutMs`. Settles at once when the time is up or the caller aborts, whether or not `work` reacts to
 * the signal it is given; that signal also fires after `work` ended, so that it can hold streams and listeners.
 * @throws {StoreError} `DEADLINE_EXCEEDED`, `ABORTED_BY_CALLER`, or what `work` failed with
 */
export async function withDeadline<T>(bounds: Bounds, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { timeoutMs, signal } = bounds
  const scope = new AbortController()
  const interrupted = new Promise<never>((_, reject) => {
    const abort = (): void => {
      reject(storeError(bounds, 'ABORTED_BY_CALLER', 'aborted', signal.reason))
    }
    const timer = setTimeout(() => {
      reject(storeError(bounds, 'DEADLINE_EXCEEDED', `no answer within ${Math.round(timeoutMs)} ms`))
    }, timeoutMs)
    scope.signal.addEventListener('abort', () => {
      clearTimeout(timer)
    })
    signal.addEventListener('abort', abort, { signal: scope.signal })
    if (signal.aborted) abort()
  })
  try {
    return await Promise.race([interrupted, signal.aborted ? interrupted : work(scope.signal)])
  } catch (error) {
    throw toStoreError(bounds, error)
  } finally {
    scope.abort()
  }
}
