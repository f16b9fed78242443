import type { Family } from '../net/ip.ts'
import type { PeerReach, Reach, ReachChange } from './reach.ts'
import { inAll, NOTHING_ASKED, type ProbeTotals } from './totals.ts'
import type { Clock } from '../time/clock.ts'

/** Who asks peers in a session. */
export interface ReachSource {
  /** Undefined: it knows of no such peer. */
  reach(key: string, family: Family): PeerReach | undefined
  counts(family?: Family): Readonly<Record<Reach, number>>
  askNow(keys: readonly string[]): Promise<void>
  readonly totals: ProbeTotals
  /** Whether anybody is asked. */
  readonly isOn: boolean
  /** Why nobody is asked at present, or not in some family; undefined: all are. */
  readonly why: string | undefined
}

const NOBODY: Readonly<Record<Reach, number>> = { unreachable: 0, mtu: 0, lossy: 0, unknown: 0, reachable: 0 }

/**
 * Whether packets arrive at peers, for whoever wants to know: the session's task asks them ({@link ReachSource}), and everybody asks here.
 * It outlives sessions.
 */
export class PeerReaches {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #listeners = new Map<symbol, (changes: readonly ReachChange[]) => void>()
  #source: ReachSource | undefined
  /** Of sessions that have ended. */
  #ended = NOTHING_ASKED
  #why = 'there is no lease yet'
  #sinceMs: number

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
  }

  /** Whether peers are asked. */
  get isOn(): boolean {
    return this.#source?.isOn === true
  }

  /** Why not, or not in some family; null: they are. */
  get why(): string | null {
    return this.#source === undefined ? this.#why : (this.#source.why ?? null)
  }

  /** What is known of a peer, by the key of its lease. */
  reach(key: string, family: Family): PeerReach {
    return this.#source?.reach(key, family) ?? { reach: 'unknown', sinceMs: this.#sinceMs, loss: 0 }
  }

  /** How many peers are judged how; each counts in each family that it has, or only in that which is asked for. */
  counts(family?: Family): Readonly<Record<Reach, number>> {
    return this.#source?.counts(family) ?? NOBODY
  }

  /** Since the agent was started, whatever sessions there were. */
  totals(): ProbeTotals {
    return this.#source === undefined ? this.#ended : inAll(this.#ended, this.#source.totals)
  }

  /**
   * Has these asked before all others.
   * @returns settles when all are judged, or cannot be, or the signal aborts; what there is to know then, {@link reach} tells. Never rejects
   */
  async askNow(keys: readonly string[], signal: AbortSignal): Promise<void> {
    if (this.#source === undefined || signal.aborted) return
    const asked = this.#source.askNow(keys)
    await new Promise<void>((done) => {
      const settle = (): void => {
        signal.removeEventListener('abort', settle)
        done()
      }
      signal.addEventListener('abort', settle)
      void asked.then(settle)
    })
  }

  /** @param listener called with what is judged otherwise than before; must not throw @returns ends the subscription */
  subscribe(listener: (changes: readonly ReachChange[]) => void): () => void {
    const key = Symbol()
    this.#listeners.set(key, listener)
    return () => {
      this.#listeners.delete(key)
    }
  }

  /** A session asks its peers. */
  begin(source: ReachSource): void {
    this.#source = source
  }

  tell(changes: readonly ReachChange[]): void {
    for (const key of [...this.#listeners.keys()]) this.#listeners.get(key)?.(changes)
  }

  /** Nobody is asked any more, or not at all. */
  end(why: string): void {
    this.#ended = this.totals()
    this.#source = undefined
    this.#why = why
    this.#sinceMs = this.#clock.monotonicMs()
  }
}
