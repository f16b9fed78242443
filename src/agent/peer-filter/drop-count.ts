import type { Clock } from '../../time/clock.ts'
import { RateLimit } from '../../time/rate-limit.ts'

/** Whoever sends must not fill our log. */
const LINES = { burst: 2, everyMs: 60_000 } as const

/** Packets that have not been said to be dropped, and all. */
export interface DropNews {
  readonly packets: number
  readonly total: number
}

/** Follows one counter of the peer filter: all of it is said, and seldom. */
export class DropCount {
  readonly #lines: RateLimit
  readonly #onDrops: (packets: number) => void
  /** The counter as last read; undefined before: what an earlier run of the agent has let be counted is no news. */
  #counted: number | undefined
  #unsaid = 0
  #total = 0

  /** @param onDrops told how many there are more than at the last look; must not throw */
  constructor(clock: Clock, onDrops: (packets: number) => void = () => undefined) {
    this.#onDrops = onDrops
    this.#lines = new RateLimit(clock, LINES)
  }

  /** It counts from 0 again. */
  madeAnew(): void {
    this.#counted = 0
  }

  /** @returns what is to be said now */
  read(packets: number): DropNews | undefined {
    const more = packets - (this.#counted ?? packets)
    this.#counted = packets
    const news = more < 0 ? packets : more // made anew by somebody else
    this.#unsaid += news
    this.#total += news
    if (news > 0) this.#onDrops(news)
    if (this.#unsaid === 0 || !this.#lines.take()) return undefined
    const said = { packets: this.#unsaid, total: this.#total }
    this.#unsaid = 0
    return said
  }
}
