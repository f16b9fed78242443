import type { EntriesByFamily } from '../../backend/judge.ts'
import type { ReachChange } from '../../probe/reach.ts'
import { RateLimit } from '../../time/rate-limit.ts'
import type { AgentPorts } from '../runtime/ports.ts'

/** Of more changes at once none is named: they are counted. */
const NAMED_AT_ONCE = 5
/** Peers that come and go one by one must not fill the log either. */
const NAMED = { burst: 20, everyMs: 6_000 }
/** Lines that count. */
const COUNTED = { burst: 1, everyMs: 10_000 }

const WORDS = {
  reachable: 'packets arrive at a peer again',
  lossy: 'some packets to a peer are lost',
  mtu: 'large packets do not arrive at a peer',
  unreachable: 'packets do not arrive at a peer',
  unknown: 'it is not known whether packets arrive at a peer',
} as const

/**
 * Says at which peers packets arrive otherwise than before: each by name where they are few, all in one line where they are many. What was never
 * asked before is said where it is bad. That much of it is bad is a condition's business.
 */
export class ReachLog {
  readonly #log: AgentPorts['log']
  readonly #named: RateLimit
  readonly #counted: RateLimit
  readonly #peer: (key: string) => EntriesByFamily | undefined
  /** Neither named nor counted so far. */
  #unsaid = { worse: 0, better: 0 }

  constructor(
    input: Pick<AgentPorts, 'clock' | 'log'> & { readonly peer: (key: string) => EntriesByFamily | undefined },
  ) {
    this.#log = input.log
    this.#peer = input.peer
    this.#named = new RateLimit(input.clock, NAMED)
    this.#counted = new RateLimit(input.clock, COUNTED)
  }

  say(changes: readonly ReachChange[]): void {
    const news = changes.filter(isNews)
    for (const change of news)
      if (news.length <= NAMED_AT_ONCE && this.#named.take()) this.#name(change)
      else if (change.after.reach === 'reachable') this.#unsaid.better++
      else this.#unsaid.worse++
    const { worse, better } = this.#unsaid
    if (worse + better === 0 || !this.#counted.take()) return
    this.#unsaid = { worse: 0, better: 0 }
    this.#log.info('packets arrive at peers otherwise than before', { worse, better }, { kind: 'reaches-changed' })
  }

  #name({ key, family, before, after }: ReachChange): void {
    const peer = this.#peer(key)?.get(family)
    const { reach, rttMs, loss, passesOctets, underlay } = after
    this.#log.info(
      WORDS[reach],
      {
        ...{ node: peer?.node, publicIp: peer?.publicIp.text, subnet: key, before: before.reach },
        ...{
          rttMs: rttMs === undefined ? undefined : Math.round(rttMs * 1_000) / 1_000,
          loss: loss > 0 ? Math.round(loss * 100) / 100 : undefined,
        },
        ...{ passesOctets, underlay: underlay?.says },
      },
      { kind: 'reach-changed', reach, family },
    )
  }
}

/** That a peer is reached for the first time, or not asked any more, is none. */
const isNews = ({ before, after }: ReachChange): boolean =>
  before.reach !== after.reach &&
  after.reach !== 'unknown' &&
  !(before.reach === 'unknown' && after.reach === 'reachable')
