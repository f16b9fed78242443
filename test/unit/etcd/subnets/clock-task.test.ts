import { afterEach, beforeEach, expect, test } from 'vitest'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { ClockTask, type StoreClock } from '../../../../src/etcd/subnets/clock-task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const FIRST_MS = 3_000

let clock: FakeClock
let log: RecordingLog
let conditions: Conditions
let told: StoreClock | undefined
let asked: number
/** By how much our wall clock was set, in milliseconds. */
let setByMs: number
let stop: AbortController
let running: Promise<unknown>

beforeEach(async () => {
  clock = new FakeClock()
  log = recordingLog()
  conditions = new Conditions({ clock, log })
  told = ahead(0)
  asked = 0
  setByMs = 0
  stop = new AbortController()
  const ask = (): Promise<StoreClock | undefined> => {
    asked++
    return Promise.resolve(told)
  }
  running = runTask(
    new ClockTask({ ask, conditions, clock, random: () => 0.5, wallMs: () => 1e12 + clock.monotonicMs() + setByMs }),
    runtime(clock, stop.signal),
  )
  await clock.settle()
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

const ahead = (ms: number): StoreClock => ({ url: 'http://10.0.0.1:2379', theirsMs: 1e12, oursMs: 1e12 + ms })
const failing = (): readonly string[] =>
  conditions.all().map(({ what, reason, effect }) => `${effect} ${what}: ${reason}`)

test('a clock that is as that of etcd is asked for every six hours, and nothing is said', async () => {
  told = ahead(-59_000)
  await clock.advance(FIRST_MS)
  await clock.advance(6 * HOUR_MS - 1)
  expect(asked).toBe(1)
  await clock.advance(6 * HOUR_MS + 1)
  expect([asked, failing(), log.lines]).toEqual([3, [], []])
})

test('it is asked for within a minute after our own was set, and not while that drifts', async () => {
  await clock.advance(FIRST_MS)
  for (let minute = 0; minute < 10; minute++) {
    setByMs += 500
    await clock.advance(MINUTE_MS)
  }
  expect(asked).toBe(1)
  setByMs -= 3_600_000
  told = ahead(-3_600_000)
  await clock.advance(MINUTE_MS)
  expect([asked, failing().length]).toEqual([2, 1])
})

test('where nobody tells, ever more seldom, and an hour apart at most', async () => {
  told = undefined
  await clock.advance(FIRST_MS)
  await clock.advance(7 * MINUTE_MS)
  expect(asked).toBe(4)
  await clock.advance(2 * HOUR_MS)
  const soFar = asked
  await clock.advance(10 * HOUR_MS)
  expect(asked - soFar).toBe(10)
})

test('one that is far from it is named within a minute and a half of the start, once, until it is put right', async () => {
  told = undefined // etcd is away
  await clock.advance(FIRST_MS)
  told = ahead(-7_200_000)
  await clock.advance(MINUTE_MS)
  expect(failing()).toEqual([
    'none clock: this host is 2 hours behind etcd (http://10.0.0.1:2379). Cure: timedatectl set-ntp true on the one that is wrong',
  ])
  told = ahead(-7_260_000)
  await clock.advance(10 * MINUTE_MS)
  told = undefined
  await clock.advance(MINUTE_MS)
  expect([failing().length, log.lines.length]).toEqual([1, 1])
  told = ahead(900)
  await clock.advance(8 * MINUTE_MS)
  expect([failing(), log.lines.at(-1)]).toEqual([[], 'info clock: works now'])
})
