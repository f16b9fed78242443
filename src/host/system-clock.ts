import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../time/clock.ts'

/** A timer set for longer than this, in milliseconds, would go off at once (TIMEOUT_MAX of node:timers). */
const LONGEST_MS = 2_147_483_647

/** The machine's clock. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => {
    if (signal.aborted) return Promise.resolve()
    if (ms <= 0) return nextTurn()
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, Math.min(ms, LONGEST_MS))
      signal.addEventListener('abort', end)
    })
  },
}
