import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/host/system-clock.ts'

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

describe("the machine's clock", () => {
  test('waits for no timer where there is no time to pass, and lets others have their turn', async () => {
    const { signal } = new AbortController()
    const before = timers()
    const order: string[] = []
    setImmediate(() => order.push('another'))
    const slept = [systemClock.sleep(0, signal), systemClock.sleep(-1, signal)]
    expect(timers()).toBe(before)
    await Promise.all(slept)
    expect(order).toEqual(['another'])
  })

  test('sleeps until its signal aborts, and leaves no timer behind', async () => {
    const stop = new AbortController()
    const before = timers()
    const slept = systemClock.sleep(3_600_000, stop.signal)
    expect(timers()).toBe(before + 1)
    stop.abort()
    await slept
    expect(timers()).toBe(before)
  })
})
