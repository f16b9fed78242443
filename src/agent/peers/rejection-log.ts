import type { Clock } from '../../time/clock.ts'
import { ExpiringKeys } from '../../time/expiring-keys.ts'
import type { Logger } from '../../observe/logger.ts'
import { RateLimit } from '../../time/rate-limit.ts'

/** One bad list must not flood the log. */
const NAMED_AT_ONCE = 20
/** Nor must leases that are rewritten in a loop. */
const NAMED = { burst: 100, everyMs: 3_000 }
/** That there are more than are named. */
const COUNTED = { burst: 1, everyMs: 60_000 }
/** A lease whose reason changes in words only is named again after this long, in milliseconds. */
const AGAIN_MS = 60_000

/**
 * Says which leases are rejected: each once, and again when its reason has become another, but not for every lease in turn that is in
 * its way. Remembers only what it has said, so that nobody can fill our memory.
 */
export class RejectionLog {
  readonly #log: Logger
  readonly #named: RateLimit
  readonly #counted: RateLimit
  /** Lease → the reason that was said. */
  readonly #said = new Map<string, string>()
  /** Leases that were named of late. */
  readonly #recent: ExpiringKeys

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#log = log
    this.#named = new RateLimit(clock, NAMED)
    this.#counted = new RateLimit(clock, COUNTED)
    this.#recent = new ExpiringKeys(clock)
  }

  /** @param rejected lease key → reason, of all that are rejected now */
  say(rejected: ReadonlyMap<string, string>): void {
    this.#forget(rejected)
    let [named, unnamed] = [0, 0]
    for (const [key, reason] of rejected) {
      if (!this.#isNews(key, reason)) continue
      if (named < NAMED_AT_ONCE && this.#named.take()) {
        named++
        this.#said.set(key, reason)
        this.#recent.add(key, AGAIN_MS)
        this.#log.warn('lease rejected', { lease: key, reason })
      } else unnamed++
    }
    if (unnamed > 0 && this.#counted.take()) this.#log.warn('further leases rejected', { leases: unnamed })
  }

  #isNews(key: string, reason: string): boolean {
    const said = this.#said.get(key)
    if (said === undefined) return true
    if (said === reason) return false
    return !this.#recent.has(key) || kindOf(said) !== kindOf(reason)
  }

  /** A lease that is not rejected any more may be so again at once: it is remembered for a while. */
  #forget(rejected: ReadonlyMap<string, string>): void {
    for (const key of this.#said.keys()) if (!rejected.has(key) && !this.#recent.has(key)) this.#said.delete(key)
  }
}

/** The reason without what tells one lease, address or number from another. */
const kindOf = (reason: string): string => reason.replace(/\S*\d\S*/g, '#')
