import { describe, expect, it } from 'vitest'
import { listAndWatch, type Followed } from '../../../src/lease/list-and-watch.ts'
import type { LeaseList, LeaseWatchEvent } from '../../../src/lease/store.ts'

const listAt = (revision: bigint): LeaseList => ({ clusterId: '1', revision, records: [] })
const COMPACTED: LeaseWatchEvent = { kind: 'compacted', compactRevision: 5n }
const RESET: LeaseWatchEvent = { kind: 'reset', reason: 'another cluster answers' }
const NEWS: LeaseWatchEvent = { kind: 'deltas', revision: 3n, deltas: [] }

/** Lists at 1, 2, 3 …, and lets each watch in turn say what is given, until nothing is left. */
function scripted(watches: readonly (readonly LeaseWatchEvent[])[]): Followed & { readonly watchedFrom: bigint[] } {
  const left = [...watches]
  const watchedFrom: bigint[] = []
  let lists = 0n
  return {
    watchedFrom,
    list: () => Promise.resolve(left.length === 0 ? undefined : listAt(++lists)),
    async *watch({ revision }) {
      watchedFrom.push(revision)
      yield* left.shift() ?? []
      await Promise.resolve()
    },
  }
}

async function told(followed: Followed, known?: LeaseList, signal = new AbortController().signal): Promise<string[]> {
  const words: string[] = []
  for await (const event of listAndWatch(followed, signal, known))
    words.push(
      event.kind === 'list' ? `list ${event.list.revision}${event.wasReset ? ' of another store' : ''}` : event.kind,
    )
  return words
}

describe('listAndWatch', () => {
  it('lists, then tells what changes after the list, until there is nothing to list any more', async () => {
    const followed = scripted([[NEWS, NEWS]])
    expect(await told(followed)).toEqual(['list 1', 'deltas', 'deltas'])
    expect(followed.watchedFrom).toEqual([1n])
  })

  it('begins behind a list that is known', async () => {
    const followed = scripted([[NEWS, COMPACTED], [NEWS]])
    expect(await told(followed, listAt(7n))).toEqual(['deltas', 'compacted', 'list 1', 'deltas'])
    expect(followed.watchedFrom).toEqual([7n, 1n])
  })

  it('says of each list whether the store was reset just before it', async () => {
    const words = await told(scripted([[RESET], [NEWS, COMPACTED], [], []]))
    expect(words).toEqual(['list 1', 'reset', 'list 2 of another store', 'deltas', 'compacted', 'list 3', 'list 4'])
  })

  it('does nothing once stopped', async () => {
    const followed = scripted([[NEWS]])
    expect(await told(followed, undefined, AbortSignal.abort())).toEqual([])
    expect(followed.watchedFrom).toEqual([])
  })
})
