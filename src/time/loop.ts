import type { Wakeup } from './wakeup.ts'

/** What a loop is run with that works and rests in turn. */
export interface Loop {
  /** Aborts when it is to end. */
  readonly signal: AbortSignal
  /** Rests for `ms` milliseconds, until `bell` is rung, or until the signal aborts. Whoever watches the loop sees that it comes round. */
  readonly rest: (ms: number, bell?: Wakeup) => Promise<void>
}
