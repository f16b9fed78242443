import { describe, expect, it } from 'vitest'
import { duration, headlineOf, milliseconds, number, reachedText } from '../../../src/page/model/words.ts'
import type { ConditionStatus } from '../../../src/status/document.ts'
import { documentsOf } from '../../fake/page/documents.ts'

const condition = (what: string, effect: ConditionStatus['effect']): ConditionStatus =>
  ({ what, reason: 'is so', effect, since: '2026-01-01T00:00:00.000Z', forSeconds: 5 }) as ConditionStatus

describe('the headline', () => {
  it('says that all is well, and how many peers are reached', () => {
    expect(headlineOf(documentsOf({ peers: 5 }).status)).toEqual({
      level: 'good',
      title: 'All is well',
      detail: '5 of 5 peers reached',
    })
  })

  it('names first why the node is not ready, even when peers are not reached', () => {
    const conditions = [condition('underlay', 'unready'), condition('etcd', 'degraded')]
    const { status } = documentsOf({ peers: 5, conditions, reaches: new Map([[0, 'unreachable']]) })
    expect(headlineOf(status)).toEqual({ level: 'bad', title: 'This node is not ready', detail: 'underlay: is so' })
  })

  it('counts the peers with a broken path', () => {
    const { status } = documentsOf({ peers: 3, reaches: new Map([[0, 'unreachable'], [1, 'mtu']]) }) // prettier-ignore
    expect(headlineOf(status)).toMatchObject({ level: 'bad', title: '2 peers of 3 have a broken path' })
  })

  it('counts the ways to peers where there are several families, and tells these apart', () => {
    const { status } = documentsOf({ peers: 2 })
    const byReach = { ...status.peers.byReach, reachable: 1, unreachable: 1 }
    const families = [status.peers.families, { family: 6, byReach } as const].flat()
    const peers = { ...status.peers, byReach: { ...byReach, reachable: 3 }, families }
    expect(headlineOf({ ...status, peers })).toMatchObject({
      title: '1 path of 4 to peers is broken',
      detail: 'IPv4: 2 of 2 peers reached; IPv6: 1 of 2 peers reached, 1 not reached',
    })
  })

  it('does not alarm for what is only noted', () => {
    const { status } = documentsOf({ peers: 1, conditions: [condition('former configuration', 'none')] })
    expect(headlineOf(status)).toMatchObject({ level: 'good' })
  })

  it('is a warning while the node is degraded', () => {
    const { status } = documentsOf({ peers: 1, conditions: [condition('etcd', 'degraded')] })
    expect(headlineOf(status)).toMatchObject({ level: 'warn', detail: 'etcd: is so' })
  })

  it('says so where peers are not asked', () => {
    const { status } = documentsOf({ peers: 2 })
    const peers = { ...status.peers, probes: { isOn: false, why: '--peer-probes=false' } }
    expect(reachedText(peers)).toBe('2 peers; they are not asked: --peer-probes=false')
  })
})

describe('numbers and times in words', () => {
  it.each([
    [0.4, '0 s'],
    [59, '59 s'],
    [60, '1 min'],
    [125, '2 min 5 s'],
    [7_260, '2 h 1 min'],
    [90_000, '1 d 1 h'],
    [-5, '0 s'],
  ])('%f seconds are %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text)
  })

  it('groups digits, and rounds milliseconds', () => {
    expect(number(1_234_567)).toBe('1\u00a0234\u00a0567')
    expect([null, 0.44, 12.6].map(milliseconds)).toEqual(['–', '0.4 ms', '13 ms'])
  })
})
