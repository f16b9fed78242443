import type { IEvent, IWatchResponse } from 'etcd3'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { Keyspace } from '../../../../src/etcd/keys/keyspace.ts'
import { WatchPosition } from '../../../../src/etcd/keys/watch-position.ts'

const keyspace = Keyspace.leases('/net')

function event(key: string, revision: number, type: IEvent['type'] = 'Put'): IEvent {
  const kv = {
    key: keyspace.keyOf(key),
    value: Buffer.from('v'),
    lease: '0',
    create_revision: type === 'Put' ? String(revision) : '0',
    mod_revision: String(revision),
    version: '1',
  }
  return { type, kv, prev_kv: kv }
}

function answer(events: readonly IEvent[], fields: { revision?: number; fragment?: boolean } = {}): IWatchResponse {
  const { revision = 0, fragment = false } = fields
  return {
    header: { cluster_id: '1', member_id: '1', revision: String(revision), raft_term: '2' },
    watch_id: '0',
    created: false,
    canceled: false,
    compact_revision: '0',
    cancel_reason: '',
    fragment,
    events: [...events],
  }
}

/** `revision:key,key` per revision handed out. */
const shown = (position: WatchPosition, response: IWatchResponse): readonly string[] =>
  position.advance(response).map(({ revision, deltas }) => {
    const keys = deltas.map((delta) => (delta.kind === 'put' ? delta.record.key : `-${delta.key}`))
    return `${revision}:${keys.join(',')}`
  })

describe('WatchPosition', () => {
  test('groups an answer by revision', () => {
    const position = new WatchPosition(keyspace, 5n)
    const events = [event('a', 6), event('b', 6, 'Delete'), event('a', 8)]
    expect(shown(position, answer(events))).toEqual(['6:a,-b', '8:a'])
    expect(position.startRevision).toBe(8n)
  })

  test('drops what it has handed out before', () => {
    const position = new WatchPosition(keyspace, 6n)
    expect(shown(position, answer([event('a', 5), event('b', 6), event('c', 7)]))).toEqual(['7:c'])
  })

  test('moves on with a progress notification, and never back', () => {
    const position = new WatchPosition(keyspace, 5n)
    expect(position.advance(answer([], { revision: 40 }))).toEqual([])
    expect(position.startRevision).toBe(40n)
    position.advance(answer([], { revision: 30 }))
    expect(position.startRevision).toBe(40n)
  })

  test('moves on with a progress notification after events, whole or in fragments', () => {
    const position = new WatchPosition(keyspace, 5n)
    position.advance(answer([event('a', 6)], { fragment: true }))
    position.advance(answer([event('b', 6)]))
    position.advance(answer([], { revision: 40 }))
    expect(position.startRevision).toBe(40n)
  })

  test('does not take the revision in the header of events for progress: more may be behind them', () => {
    const position = new WatchPosition(keyspace, 5n)
    position.advance(answer([event('a', 6)], { revision: 100 }))
    expect(position.startRevision).toBe(6n)
  })

  test('hands out a revision in fragments only when it is whole', () => {
    const position = new WatchPosition(keyspace, 5n)
    expect(shown(position, answer([event('a', 6)], { fragment: true }))).toEqual([])
    expect(position.startRevision).toBe(5n)
    expect(shown(position, answer([event('b', 6)]))).toEqual(['6:a,b'])
  })

  test('forgets half a revision when the stream breaks, to receive it again', () => {
    const position = new WatchPosition(keyspace, 5n)
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
        const position = new WatchPosition(keyspace, 9n)
        const received: string[] = []
        for (const { after, split } of [...streams, { after: Infinity, split: 0 }]) {
          position.restart()
          const answers = history
            .filter(([first]) => BigInt(first?.kv.mod_revision ?? 0) >= position.startRevision)
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
