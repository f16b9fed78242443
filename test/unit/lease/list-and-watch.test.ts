import { describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/time/clock.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { listAndWatch, type Followed } from '../../../src/lease/list-and-watch.ts'
import type { LeaseList, LeaseWatchEvent } from '../../../src/lease/store.ts'

const listAt = (revision: bigint): LeaseList => ({ clusterId: '1', revision, records: [] })
const COMPACTED: LeaseWatchEvent = { kind: 'compacted', compactRevision: 5n }
const RESET: LeaseWatchEvent = { kind: 'reset', reason: 'another cluster answers' }
const NEWS: LeaseWatchEvent = { kind: 'deltas', revision: 3n, deltas: [] }

/** No wait takes any time. */
const HURRIED: Clock = { monotonicMs: () => 0, sleep: () => Promise.resolve() }

/** Lists at 1, 2, 3 …, and lets each watch in turn say what is given, until nothing is left. */
function scripted(
  watches: readonly (readonly LeaseWatchEvent[])[],
  clock: Clock = HURRIED,
): Followed & { readonly watchedFrom: bigint[] } {
  const left = [...watches]
  const watchedFrom: bigint[] = []
  let lists = 0n
  return {
    clock,
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

  it('does not list on and on for a store whose history is always gone', async () => {
    const clock = new FakeClock()
    const followed = scripted(Array<LeaseWatchEvent[]>(50).fill([RESET]), clock)
    const stop = new AbortController()
    const telling = told(followed, undefined, stop.signal)
    await clock.advance(60_000)
    expect(followed.watchedFrom.length).toBeGreaterThan(8)
    expect(followed.watchedFrom.length).toBeLessThan(20)
    stop.abort()
    await telling
  })

  it('does nothing once stopped', async () => {
    const followed = scripted([[NEWS]])
    expect(await told(followed, undefined, AbortSignal.abort())).toEqual([])
    expect(followed.watchedFrom).toEqual([])
  })
})
