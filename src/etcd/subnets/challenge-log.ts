import type { Challenge } from '../../lease/challenges.ts'
import type { Clock } from '../../time/clock.ts'
import { ExpiringKeys } from '../../time/expiring-keys.ts'
import type { Logger } from '../../observe/logger.ts'
import { printable } from '../../text/printable.ts'
import { RateLimit } from '../../time/rate-limit.ts'

/** However many ask. */
const LINES = { burst: 4, everyMs: 15_000 }
/** A node that is refused asks again every few seconds, for ever: it is named this seldom, in milliseconds. */
const AGAIN_MS = 60_000
/** Of a name that somebody else has chosen, in characters. */
const LONGEST_NAME = 64

/** Says who was told that we live: each asker once a minute, and a few lines a minute whatever happens. */
export class ChallengeLog {
  readonly #log: Logger
  readonly #rateLimit: RateLimit
  /** Askers. */
  readonly #named: ExpiringKeys

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#named = new ExpiringKeys(clock)
    this.#log = log
    this.#rateLimit = new RateLimit(clock, LINES)
  }

  answered({ key, from }: Challenge): void {
    const [node, hostname] = [from && printable(from.id, LONGEST_NAME), from && printable(from.hostname, LONGEST_NAME)]
    const asker = JSON.stringify([node, hostname])
    if (this.#named.has(asker) || !this.#rateLimit.take()) return
    this.#named.add(asker, AGAIN_MS)
    this.#log.info('another node asked whether the holder of our lease lives; answered', { lease: key, node, hostname })
  }
}
