import type { Challenge } from '../lease/challenges.ts'
import type { LeaseList, LeaseRecord } from '../lease/store.ts'
import { backoffMs, type BackoffSpec } from '../net/backoff.ts'
import { decodeChallenge } from './challenge-codec.ts'
import { toStoreError } from './errors.ts'
import { listLeases } from './list.ts'
import { LeaseWatch, type WatchTools } from './watch.ts'

const RETRY: BackoffSpec = { firstMs: 200, mostMs: 5_000, jitter: 0.5 }

/** After a refusal that stands until somebody changes a role, or the password: nothing is urgent about it. */
const REFUSED: BackoffSpec = { firstMs: 30_000, mostMs: 300_000, jitter: 0.5 }

/** Far more challenges than one lease ever has at once. */
const PAGE_SIZE = 100

/** Of more that come together, only the newest are answered: no honest lease has so many, and whoever asks asks again. */
const MOST_AT_ONCE = 64

/** Everything asked of one lease, over any number of lists and watches. */
export class ChallengeListener {
  readonly #tools: WatchTools
  readonly #leaseKey: string

  /** @param tools with the keyspace of the challenges to this lease */
  constructor(tools: WatchTools, leaseKey: string) {
    this.#tools = tools
    this.#leaseKey = leaseKey
  }

  async *run(signal: AbortSignal): AsyncGenerator<Challenge, void, undefined> {
    while (!signal.aborted) {
      const list = await this.#list(signal)
      if (list === undefined) return
      yield* this.#pending(list.records)
      // ends when its history is gone, or belongs to another store: then what is pending is listed again
      for await (const event of new LeaseWatch(this.#tools, list, {}).run(signal))
        if (event.kind === 'deltas')
          yield* this.#pending(event.deltas.flatMap((delta) => (delta.kind === 'put' ? [delta.record] : [])))
    }
  }

  /** @returns undefined once aborted, or when the store was closed */
  async #list(signal: AbortSignal): Promise<LeaseList | undefined> {
    const { caller, keyspace, clock, random } = this.#tools
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        return await listLeases(caller, keyspace, PAGE_SIZE, signal)
      } catch (error) {
        const { code, retryable } = toStoreError({ op: 'challenges' }, error)
        if (code === 'CLOSED') return undefined
        await clock.sleep(backoffMs(retryable ? RETRY : REFUSED, attempt, random), signal)
      }
    }
    return undefined
  }

  #pending(records: readonly LeaseRecord[]): readonly Challenge[] {
    const pending = records
      .map(({ key: id, value, modRevision }) => ({ id, modRevision, ...decodeChallenge(value) }))
      .filter(({ by }) => by === undefined)
      .toSorted((a, b) => Number(a.modRevision - b.modRevision))
    return pending.slice(-MOST_AT_ONCE).map(({ id, from }) => ({ key: this.#leaseKey, id, from }))
  }
}
