import type { RejectionChange } from '../../lease/peers/peer-table.ts'
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
/** What was said is remembered of so many leases, the latest. */
const MOST_REMEMBERED = 1_000

interface Said {
  readonly reason: string
  /** The lease was accepted since. */
  readonly isOver: boolean
}

/**
 * Says which leases are rejected: each once, and again when its reason has become another, but not for every lease in turn that is in
 * its way. Is told what changes, and remembers some of what it has said, so that neither time nor memory depends on how many are rejected.
 */
export class RejectionLog {
  readonly #log: Logger
  readonly #named: RateLimit
  readonly #counted: RateLimit
  /** Lease → what was said of it. */
  readonly #said = new Map<string, Said>()
  /** Leases that were named of late. */
  readonly #recent: ExpiringKeys
  /** Neither named nor counted so far. */
  #unsaid = 0

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#log = log
    this.#named = new RateLimit(clock, NAMED)
    this.#counted = new RateLimit(clock, COUNTED)
    this.#recent = new ExpiringKeys(clock)
  }

  /** @param changes since the last time, each lease once */
  say(changes: readonly RejectionChange[]): void {
    let [named, unnamed] = [0, 0]
    for (const { key, reason } of changes) {
      if (reason === undefined) this.#forget(key)
      else if (!this.#isNews(key, reason)) continue
      else if (named < NAMED_AT_ONCE && this.#named.take()) {
        named++
        this.#name(key, reason)
      } else unnamed++
    }
    this.#unsaid += unnamed
    if (unnamed === 0 || !this.#counted.take()) return
    this.#log.warn('further leases rejected', { leases: this.#unsaid }, { kind: 'leases-rejected' })
    this.#unsaid = 0
  }

  #name(key: string, reason: string): void {
    this.#log.warn('lease rejected', { lease: key, reason }, { kind: 'lease-rejected' })
    this.#recent.add(key, AGAIN_MS)
    this.#said.delete(key) // the latest is the last
    this.#said.set(key, { reason, isOver: false })
    const [oldest] = this.#said.size > MOST_REMEMBERED ? this.#said.keys() : []
    if (oldest !== undefined) this.#said.delete(oldest)
  }

  #isNews(key: string, reason: string): boolean {
    const said = this.#said.get(key)
    if (said === undefined) return true
    if (!this.#recent.has(key)) return said.isOver || said.reason !== reason
    return said.reason !== reason && kindOf(said.reason) !== kindOf(reason)
  }

  /** A lease that is not rejected any more may be so again at once: what was said of late is remembered. */
  #forget(key: string): void {
    const said = this.#said.get(key)
    if (said !== undefined) this.#said.set(key, { ...said, isOver: true })
  }
}

/** The reason without what tells one lease, address or number from another. */
const kindOf = (reason: string): string => reason.replace(/\S*\d\S*/g, '#')
