import { describe, expect, it } from 'vitest'
import { KeptPeers } from '../../../../src/lease/peers/kept-peers.ts'
import { isMassLoss } from '../../../../src/lease/peers/mass-loss.ts'

describe('StalePeers', () => {
  it('hands each peer over once, when its grace is over', () => {
    const stale = new KeptPeers()
    stale.hold(['a'], 100)
    stale.hold(['b'], 200)
    expect(stale.nextExpiryMs()).toBe(100)
    expect(stale.takeExpired(99)).toEqual([])
    expect(stale.takeExpired(100)).toEqual(['a'])
    expect(stale.takeExpired(500)).toEqual(['b'])
    expect(stale.nextExpiryMs()).toBeUndefined()
    expect(stale.size).toBe(0)
  })

  it('does not prolong the grace of a peer that is still missing', () => {
    const stale = new KeptPeers()
    stale.hold(['a'], 100)
    stale.hold(['a'], 200)
    expect(stale.takeExpired(100)).toEqual(['a'])
  })

  it('forgets a peer that is back', () => {
    const stale = new KeptPeers()
    stale.hold(['a', 'b'], 100)
    stale.settle('a')
    expect([...stale.keys()]).toEqual(['b'])
    expect(stale.has('a')).toBe(false)
    expect(stale.takeExpired(100)).toEqual(['b'])
  })

  it('knows when the next grace ends among very many', () => {
    const stale = new KeptPeers()
    stale.hold(
      Array.from({ length: 300_000 }, (_, index) => `peer-${index}`),
      100,
    )
    expect(stale.nextExpiryMs()).toBe(100)
  })
})

describe('isMassLoss', () => {
  it.each([
    [0, 0, false],
    [2, 2, false],
    [3, 3, true],
    [3, 6, false],
    [4, 6, true],
    [1, 1_000, false],
    [501, 1_000, true],
  ])('while our own lease stands, %i of %i: %s', (missing, known, suspicious) => {
    expect(isMassLoss(missing, known, false)).toBe(suspicious)
  })

  it.each([
    [0, 0, false],
    [0, 1, false],
    [1, 1, true],
    [1, 2, true],
    [1, 3, false],
    [2, 3, true],
    [500, 1_000, true],
    [499, 1_000, false],
  ])('with our own lease gone too, %i of %i: %s', (missing, known, suspicious) => {
    expect(isMassLoss(missing, known, true)).toBe(suspicious)
  })
})
