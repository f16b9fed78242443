import type { Clock } from './clock.ts'

/**
 * Does something, and tells it to stop after so many milliseconds, or when `signal` aborts. Not by `AbortSignal.any` with
 * `AbortSignal.timeout`: nobody holds the latter, and Node 20 never aborts what the collector has taken away.
 */
export async function within<T>(
  { clock, ms, signal }: { readonly clock: Clock; readonly ms: number; readonly signal: AbortSignal },
  body: (stop: AbortSignal) => Promise<T>,
): Promise<T> {
  const end = new AbortController()
  const stop = (): void => {
    end.abort(signal.reason)
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  void clock.sleep(ms, end.signal).then(stop)
  try {
    return await body(end.signal)
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}
