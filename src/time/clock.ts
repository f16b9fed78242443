/** What ends a wait early: every AbortSignal is one. */
export interface StopSignal {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** For waits that nobody ends early. */
export const NEVER_STOPS: StopSignal = {
  aborted: false,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
}

/** Time as the core sees it: handed in, so that tests can drive it by hand. */
export interface Clock {
  /** Milliseconds that only ever grow; unaffected by somebody setting the wall clock. Only differences mean anything. */
  monotonicMs(): number
  /** Resolves after `ms` milliseconds or as soon as `signal` aborts, whichever is first; leaves no timer behind. Never rejects. Without any time (0 or less), when everybody else has had a turn. */
  sleep(ms: number, signal: StopSignal): Promise<void>
}

/** A number in [0, 1), handed in for the same reason. */
export type Random = () => number
