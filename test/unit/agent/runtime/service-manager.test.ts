import { afterEach, beforeEach, expect, test } from 'vitest'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { AgentStatus } from '../../../../src/agent/runtime/status.ts'
import { ServiceManagerTask } from '../../../../src/agent/runtime/service-manager.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { recordingLog } from '../../../fake/recording-log.ts'

let clock: FakeClock
let conditions: Conditions
let status: AgentStatus
let told: Readonly<Record<string, string>>[]
let stop: AbortController
let running: Promise<unknown>
let isReached: boolean

beforeEach(() => {
  clock = new FakeClock()
  conditions = new Conditions({ clock, log: recordingLog() })
  status = new AgentStatus({ clock, conditions })
  told = []
  isReached = true
  stop = new AbortController()
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

async function start(watchdogMs?: number): Promise<void> {
  const serviceManager = {
    watchdogMs,
    tell: (news: Readonly<Record<string, string>>) => told.push(news) > 0 && isReached,
  }
  const task = new ServiceManagerTask(status, serviceManager, clock)
  const own = runtime(clock, stop.signal)
  running = Promise.all([runTask(task, own), runTask(status.watchdog, own)])
  await clock.settle()
}

function setUp(): void {
  status.sessionBegan('10.15.64.0/20', [4])
  status.tables(4, { peers: 1, pending: 0, synced: true, unreachable: { rows: 0, reasons: new Map() } })
  conditions.holds('subnet file')
}

test('tells what is waited for, then once that we are ready, and whatever changes after that', async () => {
  await start()
  setUp()
  await clock.advance(1_000)
  conditions.fails('etcd', 'is out of reach', 'degraded')
  await clock.advance(1_000)
  status.sessionEnded('taken')
  await clock.advance(1_000)
  setUp()
  await clock.advance(86_400_000)
  expect(told).toEqual([
    { STATUS: 'lease: there is none yet' },
    { READY: '1', STATUS: '10.15.64.0/20, 1 peer, in step' },
    { STATUS: '10.15.64.0/20, 1 peer, etcd: is out of reach' },
    { STATUS: 'lease: taken' },
    { STATUS: '10.15.64.0/20, 1 peer, in step' },
  ])
})

test('tells that we are ready where something is missing that containers can be started without', async () => {
  await start()
  conditions.fails('firewall', 'iptables is not installed', 'incomplete')
  setUp()
  await clock.advance(1_000)
  expect(status.state.ready).toBe(false)
  expect(told.at(-1)).toEqual({ READY: '1', STATUS: '10.15.64.0/20, 1 peer, firewall: iptables is not installed' })
})

test('gives a sign of life at half the time of the watchdog, whatever else is told', async () => {
  await start(10_000)
  for (let second = 0; second < 60; second++) {
    conditions.fails('etcd', `attempt ${second}`, 'degraded')
    await clock.advance(1_000)
  }
  expect(told.filter(({ WATCHDOG }) => WATCHDOG === '1')).toHaveLength(13)
})

test('gives no sign of life while a call hangs', async () => {
  let answer: (() => void) | undefined
  const hanging = new Promise<void>((resolve) => {
    answer = resolve
  })
  await start(10_000)
  const turn = status.watchdog.during('kernel snapshot', 4_000, hanging)
  const signs = (): number => told.filter(({ WATCHDOG }) => WATCHDOG === '1').length
  await clock.advance(60_000)
  expect(signs()).toBe(1)
  answer?.()
  await turn
  await clock.advance(5_000)
  expect(signs()).toBe(2)
})

test('tells of a flood of changes five times a second at most', async () => {
  await start()
  for (let at = 0; at < 1_000; at++) {
    conditions.fails('etcd', `attempt ${at}`, 'degraded')
    await clock.advance(1)
  }
  expect(told.length).toBeLessThanOrEqual(7)
})

test('tells again what did not get there, and not faster than every five seconds', async () => {
  isReached = false
  setUp()
  await start()
  await clock.advance(60_000)
  expect(told.length).toBeGreaterThanOrEqual(11)
  expect(told.length).toBeLessThanOrEqual(13)
  isReached = true
  told.length = 0
  await clock.advance(60_000)
  expect(told).toEqual([{ READY: '1', STATUS: '10.15.64.0/20, 1 peer, in step' }])
})
