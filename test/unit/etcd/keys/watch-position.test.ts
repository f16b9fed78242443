import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { KeyDelta } from '../../../../src/etcd/keys/key.ts'
import type { WatchProgress } from '../../../../src/etcd/keys/watch-answer.ts'
import { WatchPosition } from '../../../../src/etcd/keys/watch-position.ts'
import { leaseRecord } from '../../../fake/samples.ts'

function event(key: string, revision: number, type: 'Put' | 'Delete' = 'Put'): KeyDelta {
  if (type === 'Delete') return { kind: 'deleted', key, revision: BigInt(revision) }
  const record = leaseRecord(key, 'v', { createRevision: BigInt(revision), modRevision: BigInt(revision) })
  return { kind: 'put', record, revision: BigInt(revision) }
}

function answer(
  changes: readonly KeyDelta[],
  fields: { readonly revision?: number; readonly fragment?: boolean } = {},
): WatchProgress {
  const { revision = 100, fragment = false } = fields
  const header = { clusterId: '1', revision: BigInt(revision), raftTerm: 2n }
  return { kind: 'changes', header, changes, fragment }
}

/** `revision:key,key` per revision handed out. */
function shown(position: WatchPosition, response: WatchProgress): readonly string[] {
  const advance = position.advance(response)
  if ('reason' in advance) return [advance.reason]
  return advance.map(({ revision, deltas }) => {
    const keys = deltas.map((delta) => (delta.kind === 'put' ? delta.record.key : `-${delta.key}`))
    return `${revision}:${keys.join(',')}`
  })
}

describe('WatchPosition', () => {
  test('groups an answer by revision', () => {
    const position = new WatchPosition(5n)
    const events = [event('a', 6), event('b', 6, 'Delete'), event('a', 8)]
    expect(shown(position, answer(events))).toEqual(['6:a,-b', '8:a'])
    expect(position.known).toBe(8n)
  })

  test('begins behind what is known', () => {
    const position = new WatchPosition(6n)
    expect([position.known, position.startRevision]).toEqual([6n, 7n])
    position.advance(answer([event('b', 7), event('c', 9)]))
    expect([position.known, position.startRevision]).toEqual([9n, 10n])
  })

  test('moves on with a progress notification, and never back', () => {
    const position = new WatchPosition(5n)
    expect(position.advance(answer([], { revision: 40 }))).toEqual([])
    expect(position.known).toBe(40n)
  })

  test.each<[string, readonly WatchProgress[], string]>([
    ['before where it was opened', [answer([event('a', 4)])], 'from revision 5 to 4'],
    ['behind its own progress', [answer([], { revision: 40 }), answer([event('a', 39)])], 'from revision 40 to 39'],
    ['at its own progress', [answer([], { revision: 40 }), answer([event('a', 40)])], 'from revision 40 to 40'],
    ['of a revision that was whole', [answer([event('a', 6)]), answer([event('b', 6)])], 'from revision 6 to 6'],
    ['out of order', [answer([event('a', 8), event('b', 6)])], 'from revision 8 to 6'],
    ['after progress beyond all numbers', [answer([], { revision: 2 ** 60 }), answer([event('a', 6)])], ' to 6'],
    [
      'with progress that goes back',
      [answer([], { revision: 40 }), answer([], { revision: 30 })],
      'from revision 40 to 30',
    ],
  ])('says that a stream went back that brings changes %s', (_, answers, says) => {
    const position = new WatchPosition(5n)
    const all = answers.flatMap((each) => shown(position, each))
    expect(all.at(-1)).toMatch('the stream went back ')
    expect(all.at(-1)).toMatch(says)
  })

  test('moves on with a progress notification after events, whole or in fragments', () => {
    const position = new WatchPosition(5n)
    position.advance(answer([event('a', 6)], { fragment: true }))
    position.advance(answer([event('b', 6)]))
    expect(position.advance(answer([], { revision: 40 }))).toEqual([])
    expect(position.known).toBe(40n)
  })

  test('does not take the revision in the header of events for progress: more may be behind them', () => {
    const position = new WatchPosition(5n)
    position.advance(answer([event('a', 6)], { revision: 100 }))
    expect(position.known).toBe(6n)
  })

  test('hands out a revision in fragments only when it is whole', () => {
    const position = new WatchPosition(5n)
    expect(shown(position, answer([event('a', 6)], { fragment: true }))).toEqual([])
    expect(position.known).toBe(5n)
    expect(shown(position, answer([event('b', 6)]))).toEqual(['6:a,b'])
  })

  test('forgets half a revision when the stream breaks, to receive it again', () => {
    const position = new WatchPosition(5n)
    position.advance(answer([event('a', 6)], { fragment: true }))
    position.restart()
    expect(shown(position, answer([event('a', 6), event('b', 6)]))).toEqual(['6:a,b'])
  })

  test('hands out every event once and in order, wherever streams break and answers are fragmented', () => {
    const revisions = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 20 })
    const cuts = fc.array(fc.record({ after: fc.nat(8), split: fc.nat(3) }), { maxLength: 12 })
    fc.assert(
      fc.property(revisions, cuts, (sizes, streams) => {
        const history = sizes.map((size, at) => Array.from({ length: size }, (_, n) => event(`k${n}`, at + 10)))
        const position = new WatchPosition(9n)
        const received: string[] = []
        for (const { after, split } of [...streams, { after: Infinity, split: 0 }]) {
          position.restart()
          const answers = history
            .filter(([first]) => (first?.revision ?? 0n) >= position.startRevision)
            .flatMap((events) =>
              split > 0 && split < events.length
                ? [answer(events.slice(0, split), { fragment: true }), answer(events.slice(split))]
                : [answer(events)],
            )
          for (const response of answers.slice(0, after)) received.push(...shown(position, response))
        }
        expect(received).toEqual(
          sizes.map((size, at) => `${at + 10}:${Array.from(Array(size).keys(), (n) => `k${n}`).join(',')}`),
        )
      }),
    )
  })
})
