import type { LiveAgent } from './live-agent.ts'

/** Turns times of the monotonic clock into those of the wall clock, as both stand now. */
export class Moments {
  readonly nowMs: number
  readonly #offsetMs: number
  #lastMs = NaN
  #last = ''

  constructor({ clock, wallMs }: Pick<LiveAgent, 'clock' | 'wallMs'>) {
    this.nowMs = clock.monotonicMs()
    this.#offsetMs = wallMs() - this.nowMs
  }

  /** ISO 8601, UTC. */
  get now(): string {
    return this.iso(this.nowMs)
  }

  /** Ten thousand peers were often judged at few moments. */
  iso(monotonicMs: number): string {
    if (monotonicMs !== this.#lastMs) {
      this.#lastMs = monotonicMs
      this.#last = new Date(monotonicMs + this.#offsetMs).toISOString()
    }
    return this.#last
  }

  /** Null for what is not known, or never comes. */
  isoOrNull(monotonicMs: number | undefined): string | null {
    return monotonicMs === undefined || !Number.isFinite(monotonicMs) ? null : this.iso(monotonicMs)
  }

  /** Whole seconds from then until now. */
  secondsSince(monotonicMs: number): number {
    return Math.floor((this.nowMs - monotonicMs) / 1_000)
  }
}
