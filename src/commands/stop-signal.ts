import { setMaxListeners } from 'node:events'

const stop = new AbortController()
setMaxListeners(0, stop.signal) // whatever waits for something ends with it: more than ten are no leak

/**
 * Aborts on SIGTERM and SIGINT, from the moment this module is loaded: the first import of the program, so that being stopped while
 * the rest is still loading ends in order as well.
 */
export const stopSignal: AbortSignal = stop.signal

for (const name of ['SIGTERM', 'SIGINT'] as const)
  process.on(name, () => {
    stop.abort()
  })

/**
 * Scripts send them to daemons that open their log anew, or tell how they are. Not taken, the first has Node listen at 127.0.0.1:9229 for a
 * debugger, and whoever reaches that port run code as this process (nodejs.org/api/process.html, signal events); the second ends it.
 */
for (const name of ['SIGUSR1', 'SIGUSR2'] as const) process.on(name, () => undefined)
