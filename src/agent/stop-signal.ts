/**
 * Asked to stop, the process is gone after this long whatever happens, in milliseconds. The orderly way takes some ten; a supervisor
 * gives a second at least.
 */
const STOP_WITHIN_MS = 700

const stop = new AbortController()

/**
 * Aborts on SIGTERM and SIGINT, from the moment this module is loaded: the first import of the program, so that being stopped while
 * the rest is still loading ends in exit code 0 as well.
 */
export const stopSignal: AbortSignal = stop.signal

for (const name of ['SIGTERM', 'SIGINT'] as const)
  process.on(name, () => {
    if (stop.signal.aborted) return
    stop.abort()
    setTimeout(() => process.exit(0), STOP_WITHIN_MS).unref()
  })
