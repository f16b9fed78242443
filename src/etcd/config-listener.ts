import type { ConfigRecord, LeaseRecord } from '../lease/store.ts'
import { listUntilItWorks } from './keys/relist.ts'
import { LeaseWatch, type WatchTools } from './keys/watch.ts'

/** There is one key. */
const PAGE_SIZE = 1

/** What the configuration says, over any number of reads and watches. */
export class ConfigListener {
  readonly #tools: WatchTools

  /** @param tools with the keyspace of the configuration alone */
  constructor(tools: WatchTools) {
    this.#tools = tools
  }

  async *run(signal: AbortSignal): AsyncGenerator<ConfigRecord | undefined, void, undefined> {
    while (!signal.aborted) {
      const list = await listUntilItWorks(this.#tools, 'watchConfig', PAGE_SIZE, signal)
      if (list === undefined) return
      yield toConfig(list.records[0])
      // ends when its history is gone, or belongs to another store: then it is read again
      for await (const event of new LeaseWatch(this.#tools, list, {}).run(signal))
        if (event.kind === 'deltas')
          for (const delta of event.deltas) yield delta.kind === 'put' ? toConfig(delta.record) : undefined
    }
  }
}

const toConfig = (record: LeaseRecord | undefined): ConfigRecord | undefined =>
  record && { value: record.value, modRevision: record.modRevision }
