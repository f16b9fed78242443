import { expect, it } from 'vitest'
import { PeerReaches, type ReachSource } from '../../../src/probe/peer-reaches.ts'
import { Totals } from '../../../src/probe/totals.ts'
import { FakeClock } from '../../fake/fake-clock.ts'

const sourceOf = (totals: Totals): ReachSource => ({
  reach: () => undefined,
  counts: () => ({ reachable: 0, lossy: 0, mtu: 0, unreachable: 0, unknown: 0 }),
  askNow: () => Promise.resolve(),
  get totals() {
    return totals.read()
  },
  isOn: false,
  why: undefined,
})

it('what was asked in one session is counted on in the next', () => {
  const reaches = new PeerReaches(new FakeClock())
  for (const roundTripMs of [0.4, 3, 2_000]) {
    const totals = new Totals()
    reaches.begin(sourceOf(totals))
    totals.asked()
    totals.answered(roundTripMs)
    totals.asked()
    totals.missed()
    reaches.end('the lease was lost')
  }
  const { rttCounts, ...sums } = reaches.totals()
  expect(sums).toEqual({ questions: 6, answers: 3, lost: 3, rttSumMs: 2_003.4 })
  expect(rttCounts.filter((count) => count > 0)).toEqual([1, 1, 1])
  expect(rttCounts.at(-1)).toBe(1)
})
