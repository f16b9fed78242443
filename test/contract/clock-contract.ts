import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../src/time/clock.ts'

export interface ClockHarness {
  readonly clock: Clock
  /** Lets so much time pass, in milliseconds. */
  pass(ms: number): Promise<void>
}

/** Timers may go off that much early, in milliseconds: they count in whole ones. */
const ROUNDING_MS = 1
/** Longer than a timer of Node can be set for, in milliseconds. */
const BEYOND_TIMERS_MS = 2 ** 31 + 1

/** What whoever sleeps may count on, whichever clock it is. */
export function clockContract(name: string, open: () => ClockHarness): void {
  describe(`clock contract: ${name}`, () => {
    let harness: ClockHarness
    let stop: AbortController
    let ended: number[]

    beforeEach(() => {
      harness = open()
      stop = new AbortController()
      ended = []
    })
    afterEach(() => {
      stop.abort()
    })

    /** Notes the time of a sleep when it is over, and rejects as it does. */
    const sleep = async (ms: number): Promise<void> => {
      await harness.clock.sleep(ms, stop.signal)
      ended.push(ms)
    }
    const listeners = (): number => getEventListeners(stop.signal, 'abort').length

    test('a sleep is over after its time, and not before', async () => {
      const fromMs = harness.clock.monotonicMs()
      const sleeping = sleep(30)
      await harness.pass(5)
      expect(ended).toEqual([])
      await harness.pass(40)
      await sleeping
      expect(harness.clock.monotonicMs() - fromMs).toBeGreaterThanOrEqual(30 - ROUNDING_MS)
      expect(listeners()).toBe(0)
    })

    test('several are over in the order of their times, whoever lay down first', async () => {
      const all = [sleep(40), sleep(5), sleep(20)]
      await harness.pass(60)
      await Promise.all(all)
      expect(ended).toEqual([5, 20, 40])
    })

    test.each([0, -1, -1_000])('one of %i ms is over at once', async (ms) => {
      const sleeping = sleep(ms)
      await harness.pass(5)
      await sleeping
    })

    test.each([Infinity, BEYOND_TIMERS_MS])(
      'one of %d ms does not end by itself, and ends without an error when stopped',
      async (ms) => {
        const sleeping = sleep(ms)
        await harness.pass(20)
        expect(ended).toEqual([])
        expect(listeners()).toBeGreaterThan(0)
        stop.abort()
        await sleeping
        expect(ended).toEqual([ms])
        expect(listeners()).toBe(0)
      },
    )

    test('nobody lies down who has been stopped before', async () => {
      stop.abort()
      await sleep(1_000_000)
      expect(listeners()).toBe(0)
    })

    test('time only grows', async () => {
      const times: number[] = []
      for (let look = 0; look < 5; look++) {
        times.push(harness.clock.monotonicMs())
        await harness.pass(2)
      }
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      expect(new Set(times).size).toBe(5)
    })
  })
}
