import type { Clock } from '../../time/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Drops, GuardedOverlay } from '../../kernel/peer-filter.ts'
import { RateLimit } from '../../time/rate-limit.ts'

/** Whoever sends must not fill our log. */
const DROP_LINES = { burst: 2, everyMs: 60_000 } as const

/** Says what others do to the peer filter, and what it drops. */
export class PeerFilterLog {
  readonly #log: Logger
  readonly #overlay: GuardedOverlay
  readonly #dropLines: RateLimit
  /** The counter as last read; undefined before: what an earlier run of the agent has let be counted is no news. */
  #counted: number | undefined
  #unsaid = 0
  #total = 0

  constructor({
    log,
    overlay,
    clock,
  }: {
    readonly log: Logger
    readonly overlay: GuardedOverlay
    readonly clock: Clock
  }) {
    this.#log = log
    this.#overlay = overlay
    this.#dropLines = new RateLimit(clock, DROP_LINES)
  }

  /** The filter counts from 0 again. */
  madeAnew(): void {
    this.#counted = 0
  }

  drops({ packets }: Drops): void {
    const more = packets - (this.#counted ?? packets)
    this.#counted = packets
    const news = more < 0 ? packets : more // made anew by somebody else
    this.#unsaid += news
    this.#total += news
    if (this.#unsaid === 0 || !this.#dropLines.take()) return
    this.#log.warn('peer filter: a host that is no peer sends to our overlay; its packets are dropped', {
      packets: this.#unsaid,
      total: this.#total,
      ...this.#overlay,
    })
    this.#unsaid = 0
  }

  undone(what: string, fights: boolean): void {
    this.#log.warn(
      fights
        ? `peer filter: it ${what} again and again; restoring it ever more slowly. Another agent, or a script that loads rules?`
        : `peer filter: it ${what}, by somebody else; restoring it`,
    )
  }
}
