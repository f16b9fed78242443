import { beforeEach, expect, test } from 'vitest'
import { LossBackoff } from '../../../src/agent/loss-backoff.ts'
import { FakeClock } from '../../fake/fake-clock.ts'

let clock: FakeClock

beforeEach(() => {
  clock = new FakeClock()
})

/** Pauses after losses that follow `heldMs` after each lease. */
async function pauses(pause: LossBackoff, heldMs: readonly number[]): Promise<readonly number[]> {
  const found: number[] = []
  for (const ms of heldMs) {
    pause.held()
    await clock.advance(ms)
    found.push(pause.lost())
  }
  return found
}

test('the first loss costs no pause, each after it a longer one, up to a minute', async () => {
  const pause = new LossBackoff({ clock, random: () => 0.5 })
  const found = await pauses(pause, [0, 100, 100, 100, 100, 100, 100, 100, 100])
  expect(found).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
})

test('a lease held for five minutes ends the series; one held for less does not', async () => {
  const pause = new LossBackoff({ clock, random: () => 0.5 })
  expect(await pauses(pause, [0, 0, 299_999, 300_000, 0])).toEqual([0, 1_000, 2_000, 0, 1_000])
})

test('nodes that lose their leases together do not come back in step', async () => {
  const [early, late] = [new LossBackoff({ clock, random: () => 0 }), new LossBackoff({ clock, random: () => 0.999 })]
  expect((await pauses(early, [0, 0]))[1]).toBeLessThan((await pauses(late, [0, 0]))[1] ?? 0)
})
