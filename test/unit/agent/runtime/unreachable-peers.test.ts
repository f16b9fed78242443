import { describe, expect, test } from 'vitest'
import { describeUnreachable, unreachablePeers } from '../../../../src/agent/runtime/unreachable-peers.ts'
import { KernelError, type KernelErrorCode } from '../../../../src/kernel/kernel.ts'
import type { PendingRow } from '../../../../src/reconcile/pending-row.ts'

const refused = (peer: string | undefined, code: KernelErrorCode = 'ENETUNREACH'): PendingRow => ({
  ...{ table: 'route', key: `to ${peer ?? 'nobody'}`, row: `route of ${peer ?? 'nobody'}`, peer, untilMs: 1_000 },
  why: {
    is: 'refused',
    error: new KernelError({ op: 'route.replace', errno: 101, code, target: '', message: 'invalid gateway' }),
    times: 1,
  },
})
const named = (rows: readonly PendingRow[], peers: number): readonly string[] => [
  ...unreachablePeers(rows, peers).reasons.keys(),
]

describe('a peer is unreachable', () => {
  test('when the kernel refuses its gateway, however many rows that concerns', () => {
    const rows = [refused('a'), refused('a', 'EINVAL'), refused('b', 'EHOSTUNREACH')]
    expect(unreachablePeers(rows, 3)).toMatchObject({ rows: 3 })
    expect(named(rows, 3)).toEqual(['a', 'b'])
  })

  test('not when its rows are only missing, or flap', () => {
    const pending = { ...refused('a'), why: { is: 'missing' } } as const
    expect(named([pending, { ...pending, why: { is: 'flapping', times: 4 } }], 3)).toEqual([])
  })

  test('not when this node lacks permission or memory, nor for rows of nobody', () => {
    expect(named([refused('a', 'EPERM'), refused('b', 'ENOBUFS'), refused(undefined)], 3)).toEqual([])
  })

  test('when it is the only one, but not when all of several are refused: then the fault is here', () => {
    expect(named([refused('a')], 1)).toEqual(['a'])
    expect(named([refused('a'), refused('b')], 2)).toEqual([])
  })
})

test('many are counted, a few named', () => {
  const unreachable = unreachablePeers(
    ['a', 'b', 'c', 'd', 'e'].map((peer) => refused(peer)),
    9,
  )
  expect(describeUnreachable(unreachable, 9)).toBe(
    '5 of 9 cannot be reached: a (invalid gateway), b (invalid gateway), c (invalid gateway), 2 more',
  )
})
