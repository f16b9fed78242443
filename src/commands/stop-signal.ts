const stop = new AbortController()

/**
 * Aborts on SIGTERM and SIGINT, from the moment this module is loaded: the first import of the program, so that being stopped while
 * the rest is still loading ends in order as well.
 */
export const stopSignal: AbortSignal = stop.signal

for (const name of ['SIGTERM', 'SIGINT'] as const)
  process.on(name, () => {
    stop.abort()
  })
