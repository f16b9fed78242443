import type { AgentCounts } from '../../counts/agent-counts.ts'
import type { Clock } from '../../time/clock.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Drops, GuardedOverlay } from '../../kernel/peer-filter.ts'
import { DropCount } from './drop-count.ts'

export interface PeerFilterLogInput {
  readonly log: Logger
  readonly overlay: GuardedOverlay
  readonly clock: Clock
  readonly counts: Pick<AgentCounts, 'filterDrops'>
}

/** Says what others do to the peer filter, and what it drops. */
export class PeerFilterLog {
  readonly #log: Logger
  readonly #overlay: GuardedOverlay
  readonly #strangers: DropCount
  readonly #forged: DropCount
  #oneWay: string | undefined

  constructor(input: PeerFilterLogInput) {
    const { clock, counts } = input
    this.#log = input.log
    this.#overlay = input.overlay
    this.#strangers = new DropCount(clock, (packets) => (counts.filterDrops.strangers += packets))
    this.#forged = new DropCount(clock, (packets) => (counts.filterDrops.forged += packets))
  }

  /** The filter counts from 0 again. */
  madeAnew(): void {
    this.#strangers.madeAnew()
    this.#forged.madeAnew()
  }

  drops({ packets, forged }: Drops): void {
    const strangers = this.#strangers.read(packets)
    if (strangers !== undefined)
      this.#log.warn(
        'peer filter: a host that is no peer sends to our overlay; its packets are dropped',
        { ...strangers, ...this.#overlay },
        { kind: 'strangers-dropped' },
      )
    const own = this.#forged.read(forged)
    if (own !== undefined)
      this.#log.warn(
        'peer filter: a process or container of this host sends to peers what only our device may send; its packets are dropped',
        { ...own, ...this.#overlay },
        { kind: 'forged-dropped' },
      )
  }

  /** @param why it keeps strangers out, and not what this host itself forges; undefined: it does both */
  reach(why: string | undefined): void {
    if (why === this.#oneWay) return
    this.#oneWay = why
    if (why === undefined) return
    this.#log.warn(
      `peer filter: strangers are kept out; what processes and containers of this host forge reaches peers: ${why}`,
    )
  }

  undone(what: string, fights: boolean): void {
    this.#log.warn(
      fights
        ? `peer filter: it ${what} again and again; restoring it ever more slowly. Another agent, or a script that loads rules?`
        : `peer filter: it ${what}, by somebody else; restoring it`,
    )
  }
}
