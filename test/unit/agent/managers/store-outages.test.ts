import { afterEach, beforeEach, expect, test } from 'vitest'
import { AgentCounts } from '../../../../src/counts/agent-counts.ts'
import { StoreOutages } from '../../../../src/agent/managers/store-outages.ts'
import { etcdOutage } from '../../../../src/etcd/subnets/etcd-outage.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { StoreError } from '../../../../src/lease/store.ts'
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
let conditions: Conditions
let counts: AgentCounts
let timesBack: number
let isForwarding: boolean

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  stop = new AbortController()
  timesBack = 0
  isForwarding = true
  conditions = new Conditions({ clock, log })
  counts = new AgentCounts()
  outages = new StoreOutages({
    clock,
    condition: etcdOutage(conditions),
    counts,
    onBack: () => timesBack++,
    isForwarding: () => isForwarding,
  })
  running = runTask(conditions, runtime(clock, stop.signal))
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

const failure = (message: string, root?: string): StoreError =>
  new StoreError({ op: 'watch', code: 'UNAVAILABLE', retryable: true, message, root })

const cut = (): void => {
  outages.onDisconnected(failure('cut'))
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
  expect(counts.store).toMatchObject({ reconnects: 1, changedMs: clock.monotonicMs() })
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

const reasons = (): readonly string[] => conditions.all().map(({ reason }) => reason)

test('what keeps etcd away is shown as it was found last, and said once for each reason', async () => {
  isForwarding = false
  cut()
  for (let attempt = 0; attempt < 5; attempt++) {
    outages.onStillAway(failure(`refused, attempt ${attempt}`, 'ECONNREFUSED'))
    await clock.advance(1_000)
  }
  expect(reasons()).toEqual(['is out of reach: refused, attempt 4'])
  outages.onStillAway(failure('expired', 'CERT_HAS_EXPIRED'))
  await clock.settle()
  expect(reasons()).toEqual(['is out of reach: expired'])
  expect(log.lines).toEqual([
    'warn etcd is out of reach: cut',
    'warn etcd is out of reach: refused, attempt 0',
    'warn etcd is out of reach: expired',
  ])
  outages.onConnected()
  await clock.settle()
  expect(reasons()).toEqual([])
  expect(log.lines.at(-1)).toBe(BACK)
})

test('reasons that take turns are few lines, and are shown all the same', async () => {
  cut()
  for (let attempt = 0; attempt < 100; attempt++) {
    const root = attempt % 2 === 0 ? 'A' : 'B'
    outages.onStillAway(failure(`for ${root}`, root))
    expect(reasons()).toEqual([`is out of reach: for ${root}`])
    await clock.advance(3_000)
  }
  expect(log.lines).toHaveLength(3)
})
