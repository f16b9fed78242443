import type { Challenge } from '../lease/challenges.ts'
import type { LeaseRecord } from '../lease/store.ts'
import { decodeChallenge } from './challenge-codec.ts'
import { listUntilItWorks } from './keys/relist.ts'
import { LeaseWatch, type WatchTools } from './keys/watch.ts'

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
      const list = await listUntilItWorks(this.#tools, 'challenges', PAGE_SIZE, signal)
      if (list === undefined) return
      yield* this.#pending(list.records)
      // ends when its history is gone, or belongs to another store: then what is pending is listed again
      for await (const event of new LeaseWatch(this.#tools, list, {}).run(signal))
        if (event.kind === 'deltas')
          yield* this.#pending(event.deltas.flatMap((delta) => (delta.kind === 'put' ? [delta.record] : [])))
    }
  }

  #pending(records: readonly LeaseRecord[]): readonly Challenge[] {
    const pending = records
      .map(({ key: id, value, modRevision }) => ({ id, modRevision, ...decodeChallenge(value) }))
      .filter(({ by }) => by === undefined)
      .toSorted((a, b) => Number(a.modRevision - b.modRevision))
    return pending.slice(-MOST_AT_ONCE).map(({ id, from }) => ({ key: this.#leaseKey, id, from }))
  }
}
