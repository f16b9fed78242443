import { afterEach, beforeEach, expect, test } from 'vitest'
import { StoreOutages } from '../../../../src/etcd/subnets/store-outages.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

const AWAY = 'warn etcd is out of reach: cut; forwarding goes on as it is'
const BACK = 'info etcd answers again'

let clock: FakeClock
let log: RecordingLog
let stop: AbortController
let running: Promise<void>
let outages: StoreOutages
let timesBack: number
let isForwarding: boolean

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  stop = new AbortController()
  timesBack = 0
  isForwarding = true
  const conditions = new Conditions({ clock, log })
  outages = new StoreOutages({ conditions, onBack: () => timesBack++, isForwarding: () => isForwarding })
  running = runTask(conditions, runtime(clock, stop.signal))
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

const cut = (): void => {
  outages.onDisconnected(new Error('cut'))
}

test('an outage is said at once, and once; so is its end', async () => {
  outages.onConnected()
  cut()
  await clock.settle()
  expect(log.lines).toEqual([AWAY])
  for (let minute = 0; minute < 10; minute++) {
    cut()
    await clock.advance(60_000)
  }
  expect(log.lines).toEqual([AWAY])
  outages.onConnected()
  await clock.settle()
  expect(log.lines).toEqual([AWAY, BACK])
})

test('a connection that is cut again and again is said rarely, and the last word is true', async () => {
  for (let cuts = 0; cuts < 100; cuts++) {
    cut()
    await clock.advance(100)
    outages.onConnected()
    await clock.advance(100)
  }
  await clock.advance(10_000)
  expect(log.lines.length).toBeLessThanOrEqual(6)
  expect(log.lines.at(-1)).toBe(BACK)
  expect(timesBack).toBe(100)
})

test('a connection lost for good right after an earlier outage is said all the same', async () => {
  cut()
  await clock.advance(1_000)
  outages.onConnected()
  await clock.advance(1_000)
  cut()
  await clock.advance(10_000)
  expect(log.lines.at(-1)).toBe(AWAY)
})

test('an outage before anything forwards does not claim that it goes on', async () => {
  isForwarding = false
  cut()
  await clock.settle()
  expect(log.lines).toEqual(['warn etcd is out of reach: cut'])
})
