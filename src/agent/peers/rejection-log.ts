import type { Clock } from '../../time/clock.ts'
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

interface Said {
  readonly reason: string
  readonly atMs: number
}

/**
 * Says which leases are rejected: each once, and again when its reason has become another, but not for every lease in turn that is in
 * its way. Remembers only what it has said, so that nobody can fill our memory.
 */
export class RejectionLog {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #named: RateLimit
  readonly #counted: RateLimit
  readonly #said = new Map<string, Said>()

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = clock
    this.#log = log
    this.#named = new RateLimit(clock, NAMED)
    this.#counted = new RateLimit(clock, COUNTED)
  }

  /** @param rejected lease key → reason, of all that are rejected now */
  say(rejected: ReadonlyMap<string, string>): void {
    const nowMs = this.#clock.monotonicMs()
    this.#forget(rejected, nowMs)
    let [named, unnamed] = [0, 0]
    for (const [key, reason] of rejected) {
      if (!this.#isNews(key, reason, nowMs)) continue
      if (named < NAMED_AT_ONCE && this.#named.take()) {
        named++
        this.#said.set(key, { reason, atMs: nowMs })
        this.#log.warn('lease rejected', { lease: key, reason })
      } else unnamed++
    }
    if (unnamed > 0 && this.#counted.take()) this.#log.warn('further leases rejected', { leases: unnamed })
  }

  #isNews(key: string, reason: string, nowMs: number): boolean {
    const said = this.#said.get(key)
    if (said === undefined) return true
    if (said.reason === reason) return false
    return nowMs - said.atMs >= AGAIN_MS || kindOf(said.reason) !== kindOf(reason)
  }

  /** A lease that is not rejected any more may be so again at once: it is remembered for a while. */
  #forget(rejected: ReadonlyMap<string, string>, nowMs: number): void {
    for (const [key, { atMs }] of this.#said) if (!rejected.has(key) && nowMs - atMs >= AGAIN_MS) this.#said.delete(key)
  }
}

/** The reason without what tells one lease, address or number from another. */
const kindOf = (reason: string): string => reason.replace(/\S*\d\S*/g, '#')
