import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../time/clock.ts'

/** A timer set for longer than this, in milliseconds, would go off at once (TIMEOUT_MAX of node:timers). */
const LONGEST_MS = 2_147_483_647

/** The machine's clock. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    if (signal.aborted) return
    await sleep(Math.min(ms, LONGEST_MS), undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  },
}
