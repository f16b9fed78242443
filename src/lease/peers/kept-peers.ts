/**
 * Peers whose leases are gone, and that are kept until some time all the same: for a grace period after a fault of the store (mass-loss.ts),
 * so that it does not empty the datapath while their nodes publish themselves again, or for a moment after a deletion.
 */
export class KeptPeers {
  /** Lease key → end of its grace, on the monotonic clock in milliseconds. */
  readonly #until = new Map<string, number>()

  get size(): number {
    return this.#until.size
  }

  /** Lease key → end of its grace. */
  get until(): ReadonlyMap<string, number> {
    return this.#until
  }

  hold(keys: readonly string[], untilMs: number): void {
    for (const key of keys) if (!this.#until.has(key)) this.#until.set(key, untilMs)
  }

  /** The peer is back, or was deleted by somebody: it needs no grace. */
  settle(key: string): void {
    this.#until.delete(key)
  }

  keys(): ReadonlySet<string> {
    return new Set(this.#until.keys())
  }

  has(key: string): boolean {
    return this.#until.has(key)
  }

  /** Peers whose grace is over; they are forgotten here. */
  takeExpired(nowMs: number): readonly string[] {
    const expired = [...this.#until].filter(([, untilMs]) => untilMs <= nowMs).map(([key]) => key)
    for (const key of expired) this.#until.delete(key)
    return expired
  }

  /** When the next grace ends, on the monotonic clock; undefined when there is none. */
  nextExpiryMs(): number | undefined {
    let next: number | undefined
    for (const untilMs of this.#until.values()) next = Math.min(next ?? untilMs, untilMs)
    return next
  }
}
