import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../fake/fake-clock.ts'

const forever = new AbortController().signal

describe('FakeClock', () => {
  it('wakes sleepers in the order they fall due, at the time they asked for', async () => {
    const clock = new FakeClock(100)
    const woken: string[] = []
    const sleepAndTell = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms, forever)
      woken.push(`${name} at ${clock.monotonicMs()}`)
    }
    void sleepAndTell('late', 30)
    void sleepAndTell('early', 10)
    void sleepAndTell('as late', 30)
    await clock.advance(29)
    expect(woken).toEqual(['early at 110'])
    await clock.advance(1)
    expect(woken).toEqual(['early at 110', 'late at 130', 'as late at 130'])
  })

  it('wakes within one advance who lies down again', async () => {
    const clock = new FakeClock()
    let rounds = 0
    void (async () => {
      for (;;) {
        await clock.sleep(10, forever)
        rounds++
      }
    })()
    await clock.advance(55)
    expect(rounds).toBe(5)
    expect(clock.monotonicMs()).toBe(55)
    expect(clock.nextDueInMs).toBe(5)
  })

  it('wakes a sleeper whose signal aborts, and keeps nothing of it', async () => {
    const clock = new FakeClock()
    const stop = new AbortController()
    const sleep = clock.sleep(1_000, stop.signal)
    expect(clock.sleeping).toBe(1)
    stop.abort()
    await sleep
    await clock.sleep(1_000, stop.signal)
    expect(clock.sleeping).toBe(0)
    expect(clock.monotonicMs()).toBe(0)
  })
})
