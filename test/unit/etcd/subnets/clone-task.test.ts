import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CloneTask } from '../../../../src/etcd/subnets/clone-task.ts'
import type { Challenger } from '../../../../src/lease/challenges.ts'
import { StoreError } from '../../../../src/lease/store.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { NODE } from '../../../fake/samples.ts'

const KEY = '10.20.0.0-20'
const OURSELVES: Challenger = { ...NODE, instance: 'm', since: 50n }
const ELDER: Challenger = { ...NODE, hostname: 'copy', instance: 'z', since: 40n }
const MINUTE_MS = 60_000

let clock: FakeClock
let stop: AbortController
let running: Promise<void>
let asked: number[]
let answer: Challenger | StoreError | undefined
let ways: string[]

beforeEach(() => {
  clock = new FakeClock()
  stop = new AbortController()
  asked = []
  answer = undefined
  ways = []
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

function begin(isDoubtful: boolean): CloneTask {
  const task = new CloneTask({
    store: {
      ask: () => {
        asked.push(clock.monotonicMs())
        return answer instanceof StoreError ? Promise.reject(answer) : Promise.resolve(answer)
      },
    },
    clock,
    random: () => 0,
    key: KEY,
    isDoubtful,
    ourselves: OURSELVES,
    makeWay: (reason) => ways.push(reason),
  })
  running = runTask(task, runtime(clock, stop.signal))
  return task
}

const failure = (code: 'UNAVAILABLE' | 'PERMISSION_DENIED'): StoreError =>
  new StoreError({ op: 'ask', code, retryable: true, message: code })

describe('whether a copy of this machine holds our lease too', () => {
  test('is asked three times after a start that kept the lease, ever later, and then no more', async () => {
    begin(true)
    await clock.advance(9_999)
    expect(asked).toHaveLength(0)
    await clock.advance(1)
    expect(asked).toHaveLength(1)
    await clock.advance(720_000)
    expect(asked).toHaveLength(3)
    await clock.advance(10 * 3_600_000)
    expect(asked).toHaveLength(3)
  })

  test('is not asked about a lease that we made ourselves', async () => {
    begin(false)
    await clock.advance(3_600_000)
    expect(asked).toEqual([])
  })

  test.each<[string, Challenger, boolean]>([
    ['one that has held it for longer', ELDER, true],
    ['one that has held it for less long', { ...ELDER, since: 60n }, false],
    ['one that came at the same time, and was named first by chance', { ...ELDER, since: 50n, instance: 'a' }, true],
    ['one that came at the same time, and was named last', { ...ELDER, since: 50n }, false],
    ['one of an earlier version, which does not say', { ...ELDER, since: undefined }, true],
    ['one of another node id', { ...ELDER, id: 'x' }, false],
    ['ourselves', { ...OURSELVES, since: 0n }, false],
  ])('makes us give it up when it is %s', async (_, other, expected) => {
    answer = other
    begin(true)
    await clock.advance(10_000)
    expect(ways).toEqual(expected ? [expect.stringMatching(/same machine id.*--node-id/)] : [])
  })

  test('is asked again while the store cannot be reached, and not where we may not ask', async () => {
    answer = failure('UNAVAILABLE')
    begin(true)
    await clock.advance(10_000 + 2 * 30_000)
    expect(asked).toHaveLength(3)
    answer = failure('PERMISSION_DENIED')
    await clock.advance(30_000)
    expect(asked).toHaveLength(4)
    await clock.advance(MINUTE_MS)
    expect([asked.length, ways]).toEqual([4, []])
  })

  test('is asked at once when somebody with our node id says that he has held it for longer, twice a minute at most', async () => {
    const task = begin(false)
    await clock.settle()
    task.observe(ELDER)
    await clock.settle()
    expect(asked).toHaveLength(1)
    for (let second = 0; second < 60; second++) {
      task.observe(ELDER)
      await clock.advance(1_000)
    }
    expect(asked).toHaveLength(3)
  })

  test.each([
    ['holds none', { ...ELDER, since: undefined }, 1],
    ['came later', { ...ELDER, since: 60n }, 1],
    ['is another node', { ...ELDER, id: 'x' }, 0],
    ['is ourselves', { ...OURSELVES, since: 0n }, 0],
  ])('is asked once, and not at once, because of one who asks again and again and %s', async (_, asker, times) => {
    const task = begin(false)
    await clock.settle()
    for (let minute = 0; minute < 30; minute++) {
      task.observe(asker)
      await clock.advance(29_000)
      if (minute === 0) expect(asked).toEqual([])
      await clock.advance(31_000)
    }
    expect(asked).toHaveLength(times)
  })

  test('is asked when our key was written by somebody, just as we would write it', async () => {
    const task = begin(false)
    await clock.settle()
    task.suspect()
    await clock.advance(30_000)
    expect(asked).toHaveLength(1)
  })

  test('is asked until the one that is to make way has done so', async () => {
    answer = { ...ELDER, since: 60n }
    begin(true)
    await clock.advance(10_000 + 30_000)
    expect([asked.length, ways]).toEqual([2, []])
    answer = undefined
    await clock.advance(30_000 + MINUTE_MS)
    expect(asked).toHaveLength(3)
  })

  test('is asked after an outage, in which somebody may have asked us in vain', async () => {
    const task = begin(false)
    await clock.settle()
    task.afterOutage()
    await clock.advance(29_000)
    expect(asked).toHaveLength(0)
    answer = ELDER
    await clock.advance(1_000)
    expect([asked.length, ways.length]).toEqual([1, 1])
  })
})
