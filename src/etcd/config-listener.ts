import type { ConfigRecord } from '../lease/store.ts'
import { followKeys } from './keys/follow.ts'
import type { KeyRecord } from './keys/key.ts'
import type { WatchTools } from './keys/watch.ts'

/** There is one key. */
const CONFIGURATION = { op: 'watchConfig', pageSize: 1 }

/**
 * What the configuration says, over any number of reads and watches.
 * @param tools with the keyspace of the configuration alone
 */
export async function* listenToConfig(
  tools: WatchTools,
  signal: AbortSignal,
): AsyncGenerator<ConfigRecord | undefined, void, undefined> {
  for await (const seen of followKeys(tools, CONFIGURATION, signal))
    if (seen.kind === 'all') yield toConfig(seen.records[0])
    else for (const change of seen.changes) yield change.kind === 'put' ? toConfig(change.record) : undefined
}

const toConfig = (record: KeyRecord | undefined): ConfigRecord | undefined =>
  record && { value: record.value, modRevision: record.modRevision }
