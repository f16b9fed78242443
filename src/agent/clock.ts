import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../net/clock.ts'

/** The machine's clock. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    sleep(ms, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error
    }),
}
