import type { Clock } from '../../time/clock.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { LeaseList, LeaseRecord, LeaseStore, LeaseWatchEvent } from '../store.ts'

/** So long a list is brought up to date by what has changed since; after that it is made anew. In milliseconds. */
const PATIENCE_MS = 3_000
/** Of which the last part is left for what is told after the write, however long that took. */
const LEAST_MS = 1_000
/** A watch is open by then, or something is amiss with it: then nothing is lost by writing first. In milliseconds. */
const OPEN_MS = 200

/** What the watch tells at once. */
type Changes = Extract<LeaseWatchEvent, { readonly kind: 'deltas' }>

/** A list as it stands later. */
export interface Later {
  readonly list: LeaseList
  /** Keys that were written or deleted in between. All other records are those of the list before. */
  readonly changed: ReadonlySet<string>
  /** What stands at those of them that were not deleted. */
  readonly put: readonly LeaseRecord[]
}

/**
 * What has changed since a list. Only that is read: of ten thousand nodes that start together, none reads all leases a second time. It is
 * listened for before anything is written: etcd serves whoever asks for what is past in rounds of 100 ms (its `syncWatchersLoop`), as this does.
 */
export class ChangesSince {
  readonly #list: LeaseList
  readonly #clock: Clock
  readonly #enough = new AbortController()
  readonly #until: AbortSignal
  readonly #events: Changes[] = []
  readonly #heard = new Wakeup()
  readonly #opened = new Wakeup()
  readonly #untilMs: number
  readonly #hearing: Promise<void>
  #isOver = false

  constructor(
    list: LeaseList,
    { store, clock }: { readonly store: Pick<LeaseStore, 'watch'>; readonly clock: Clock },
    signal: AbortSignal,
  ) {
    this.#list = list
    this.#clock = clock
    this.#untilMs = clock.monotonicMs() + PATIENCE_MS
    this.#until = AbortSignal.any([signal, this.#enough.signal])
    this.#hearing = this.#hear(store).finally(() => {
      this.#isOver = true
      this.#opened.ring()
      this.#heard.ring()
    })
    this.#hearing.catch(() => undefined) // whoever waits for it is told
  }

  async #hear(store: Pick<LeaseStore, 'watch'>): Promise<void> {
    const { clusterId, revision } = this.#list
    const onConnected = (): void => {
      this.#opened.ring()
    }
    for await (const event of store.watch({ clusterId, revision }, this.#until, { onConnected })) {
      if (event.kind !== 'deltas') return
      this.#events.push(event)
      this.#heard.ring()
    }
  }

  /** Settles once the watch is open, or something is amiss with it. */
  listening(): Promise<void> {
    return this.#opened.wait(this.#clock, OPEN_MS, this.#until)
  }

  /**
   * The list as it stands with something that was written since.
   * @returns undefined where the store does not tell it in time, or has forgotten it
   * @throws {StoreError}
   */
  async listWith(written: LeaseRecord): Promise<Later | undefined> {
    const untilMs = Math.max(this.#untilMs, this.#clock.monotonicMs() + LEAST_MS)
    for (;;) {
      const at = this.#events.findIndex(({ revision }) => revision >= written.modRevision)
      if (at >= 0) return after(this.#list, this.#events.slice(0, at + 1))
      if (this.#isOver) await this.#hearing
      const leftMs = untilMs - this.#clock.monotonicMs()
      if (this.#isOver || leftMs <= 0) return undefined
      await this.#heard.wait(this.#clock, leftMs, this.#until)
    }
  }

  /** Nobody listens any more. */
  end(): void {
    this.#enough.abort()
  }
}

/** @param events all that came after the list, at least one */
function after(list: LeaseList, events: readonly Changes[]): Later {
  const revision = events.at(-1)?.revision ?? list.revision
  const changed = new Map<string, LeaseRecord | undefined>()
  for (const delta of events.flatMap(({ deltas }) => deltas))
    if (delta.kind === 'put') changed.set(delta.record.key, delta.record)
    else changed.set(delta.key, undefined)
  const kept = list.records.filter(({ key }) => !changed.has(key))
  const put = [...changed.values()].filter((record) => record !== undefined)
  return { list: { ...list, revision, records: [...kept, ...put] }, changed: new Set(changed.keys()), put }
}
