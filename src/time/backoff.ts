import type { Random } from './clock.ts'

/** Exponential delays in milliseconds, capped, spread by ±`jitter` so that many nodes or rows do not come back in step. */
export interface BackoffSpec {
  readonly firstMs: number
  readonly mostMs: number
  /** Share of the delay, 0 to 1. */
  readonly jitter: number
}

/** Delay before attempt number `attempt` (1: the first repetition), in milliseconds. */
export function backoffMs(spec: BackoffSpec, attempt: number, random: Random): number {
  const plain = Math.min(spec.firstMs * 2 ** Math.min(attempt - 1, 30), spec.mostMs)
  return Math.round(plain * (1 + spec.jitter * (2 * random() - 1)))
}
