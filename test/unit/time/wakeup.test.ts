import { describe, expect, it } from 'vitest'
import { Wakeup } from '../../../src/time/wakeup.ts'
import { FakeClock } from '../../fake/fake-clock.ts'

const forever = new AbortController().signal

function waiting(wakeup: Wakeup, clock: FakeClock, ms: number, signal = forever): { readonly over: () => boolean } {
  let over = false
  void wakeup.wait(clock, ms, signal).then(() => {
    over = true
  })
  return { over: () => over }
}

describe('Wakeup', () => {
  it('ends a wait when rung, long before its time', async () => {
    const [clock, wakeup] = [new FakeClock(), new Wakeup()]
    const wait = waiting(wakeup, clock, 60_000)
    await clock.settle()
    expect(wait.over()).toBe(false)
    wakeup.ring()
    await clock.settle()
    expect(wait.over()).toBe(true)
    expect(clock.sleeping).toBe(0)
  })

  it('remembers one ring for who waits next, and only for that one', async () => {
    const [clock, wakeup] = [new FakeClock(), new Wakeup()]
    wakeup.ring()
    wakeup.ring()
    const first = waiting(wakeup, clock, 60_000)
    await clock.settle()
    expect(first.over()).toBe(true)
    const second = waiting(wakeup, clock, 60_000)
    await clock.settle()
    expect(second.over()).toBe(false)
    await clock.advance(60_000)
    expect(second.over()).toBe(true)
  })

  it('ends when the time is up', async () => {
    const [clock, wakeup] = [new FakeClock(), new Wakeup()]
    const wait = waiting(wakeup, clock, 1_000)
    await clock.advance(999)
    expect(wait.over()).toBe(false)
    await clock.advance(1)
    expect(wait.over()).toBe(true)
  })

  it('ends when told to stop, also when told before, and leaves no sleeper', async () => {
    const [clock, wakeup, stop] = [new FakeClock(), new Wakeup(), new AbortController()]
    const wait = waiting(wakeup, clock, 60_000, stop.signal)
    await clock.settle()
    stop.abort()
    await clock.settle()
    expect(wait.over()).toBe(true)
    expect(clock.sleeping).toBe(0)
    await wakeup.wait(clock, 60_000, stop.signal)
    expect(clock.sleeping).toBe(0)
  })
})
