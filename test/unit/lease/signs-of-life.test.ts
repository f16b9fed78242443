import { expect, it } from 'vitest'
import { quietMs, rivalAnswersWithinMs } from '../../../src/lease/proof.ts'

/** A question more or less for jitter, and two tries of two seconds ({@link Liveness}); then another connection. */
const foundDeadMs = (leases: number): number => quietMs(leases) * 1.1 + 4_100
const ANOTHER_MS = 5_000

it.each([
  [0, 5_000],
  [2_500, 5_000],
  [10_000, 20_000],
  [65_000, 30_000],
])('%i nodes each bear %i ms of silence', (leases, ms) => {
  expect(quietMs(leases)).toBe(ms)
})

it.each([1, 2_500, 2_501, 10_000, 15_000, 1_000_000])(
  'of %i nodes, who lost its connection just before it was asked can answer whether it lives',
  (leases) => {
    expect(foundDeadMs(leases) + ANOTHER_MS).toBeLessThan(rivalAnswersWithinMs(leases))
  },
)

it('a connection is idle for less than a minute, which is when the strictest balancers forget it', () => {
  expect(quietMs(Infinity) * 1.1).toBeLessThan(60_000)
})
