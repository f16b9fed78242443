import type { Clock } from '../../time/clock.ts'
import type { Revision } from '../lease.ts'
import type { LeaseDelta, LeaseList, LeaseRecord, LeaseStore } from '../store.ts'

/** So long a list is brought up to date by what has changed since; after that it is made anew. In milliseconds. */
const PATIENCE_MS = 3_000

/**
 * The list as it stands with something that was written since. Only what has changed meanwhile is read: of ten thousand nodes that start
 * together, none reads all leases a second time.
 * @returns undefined where the store does not tell it in time, or has forgotten it
 * @throws {StoreError}
 */
export async function listWith(
  written: LeaseRecord,
  list: LeaseList,
  { store, clock }: { readonly store: Pick<LeaseStore, 'watch'>; readonly clock: Clock },
  signal: AbortSignal,
): Promise<LeaseList | undefined> {
  const enough = new AbortController()
  const until = AbortSignal.any([signal, enough.signal])
  const { clusterId, revision } = list
  const deltas: LeaseDelta[] = []
  const read = async (): Promise<LeaseList | undefined> => {
    for await (const event of store.watch({ clusterId, revision }, until)) {
      if (event.kind !== 'deltas') return undefined
      deltas.push(...event.deltas)
      if (event.revision >= written.modRevision) return after(list, event.revision, deltas)
    }
    return undefined
  }
  try {
    return await Promise.race([read(), clock.sleep(PATIENCE_MS, until).then(() => undefined)])
  } finally {
    enough.abort()
  }
}

/** @param deltas all that came after the list, up to this revision */
function after(list: LeaseList, revision: Revision, deltas: readonly LeaseDelta[]): LeaseList {
  const changed = new Map<string, LeaseRecord | undefined>()
  for (const delta of deltas)
    if (delta.kind === 'put') changed.set(delta.record.key, delta.record)
    else changed.set(delta.key, undefined)
  const kept = list.records.filter(({ key }) => !changed.has(key))
  const put = [...changed.values()].filter((record) => record !== undefined)
  return { ...list, revision, records: [...kept, ...put] }
}
