import type { Runtime } from '../../src/agent/runtime/task.ts'
import { Watchdog } from '../../src/agent/runtime/watchdog.ts'
import type { Clock } from '../../src/time/clock.ts'
import type { Loop } from '../../src/time/loop.ts'

/** What a task is run in, with nobody who looks at its watchdog unless there is one. */
export const runtime = (clock: Clock, signal: AbortSignal, watchdog = new Watchdog(clock)): Runtime => ({
  signal,
  clock,
  watchdog,
})

/** A loop that nobody watches. */
export const loopOn = (clock: Clock, signal: AbortSignal): Loop => ({
  signal,
  rest: (ms, bell) => (bell === undefined ? clock.sleep(ms, signal) : bell.wait(clock, ms, signal)),
})
