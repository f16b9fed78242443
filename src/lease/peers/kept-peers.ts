/**
 * Peers that a list no longer shows although nobody deleted them one by one: etcd was restored or wiped. They are kept for a grace
 * period, so that a fault of the store does not empty the datapath, while their nodes publish themselves again.
 */
export class KeptPeers {
  /** Lease key → end of its grace, on the monotonic clock in milliseconds. */
  readonly #until = new Map<string, number>()

  get size(): number {
    return this.#until.size
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

/** A list that lacks this many of the known peers at once tells of the store, not of the peers. */
const SUSPICIOUS_SHARE = 0.5
const SUSPICIOUS_COUNT = 3

/**
 * Whether `missing` of `known` peers (we are none of them) vanishing between two lists, or in one revision, is the store's doing.
 * @param ownToo whether our own lease vanished with them. We know that we live, so in a small overlay, too, half of the peers tell.
 */
export const isMassLoss = (missing: number, known: number, ownToo: boolean): boolean =>
  ownToo
    ? missing >= 1 && missing >= known * SUSPICIOUS_SHARE
    : missing >= SUSPICIOUS_COUNT && missing > known * SUSPICIOUS_SHARE
