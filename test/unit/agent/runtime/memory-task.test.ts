import { afterEach, beforeEach, expect, test } from 'vitest'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { MemoryTask } from '../../../../src/agent/runtime/memory-task.ts'
import { AgentStatus } from '../../../../src/agent/runtime/status.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { recordingLog } from '../../../fake/recording-log.ts'

const MB = 1_000_000

let clock: FakeClock
let conditions: Conditions
let status: AgentStatus
let stop: AbortController
let running: Promise<void>
let size: number
/** What of that is kept, and used by nobody. */
let freed: number
/** What was done, and when in seconds. */
let done: string[]

beforeEach(async () => {
  clock = new FakeClock()
  conditions = new Conditions({ clock, log: recordingLog() })
  status = new AgentStatus({ clock, conditions })
  stop = new AbortController()
  size = 100 * MB
  done = []
  freed = 0
  const note = (what: string) => () => void done.push(`${what} at ${clock.monotonicMs() / 1_000}`)
  const released = note('released')
  const release = (): void => {
    size -= freed
    freed = 0
    released()
  }
  const memory = { size: () => size, collect: note('collected'), release }
  running = runTask(new MemoryTask(memory, status, note('settled')), runtime(clock, stop.signal))
  await clock.settle()
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

async function becomeReady(): Promise<void> {
  status.sessionBegan('10.15.64.0/20', [4])
  status.tables(4, { peers: 1, pending: 0, synced: true, unreachable: { rows: 0, reasons: new Map() } })
  conditions.holds('subnet file')
  await clock.settle()
}

const START = [
  ...['settled at 14', 'collected at 14', 'released at 23', 'collected at 33', 'released at 42'],
  ...['collected at 52', 'released at 61'],
]

/** What was done since the start, but for what is done in each minute. */
const sinceStart = (): readonly string[] => done.slice(START.length).filter((each) => !each.startsWith('released'))

test('collects three times once the node is ready, and gives back each time what was freed, and in each minute', async () => {
  await clock.advance(10_000)
  expect(done).toEqual([])
  await becomeReady()
  await clock.advance(300_000)
  expect(done).toEqual([...START, ...[121, 181, 241, 301].map((second) => `released at ${second}`)])
})

test('does so after a minute where there is no overlay', async () => {
  await clock.advance(120_000)
  expect(done.slice(0, 2)).toEqual(['settled at 64', 'collected at 64'])
})

test('collects again when memory has grown by a tenth, and from then on by a tenth of that', async () => {
  await clock.advance(10_000)
  await becomeReady()
  await clock.advance(60_000)
  size = 109 * MB
  await clock.advance(600_000)
  expect(sinceStart()).toEqual([])
  size = 111 * MB
  await clock.advance(600_000)
  expect(sinceStart()).toEqual(['collected at 721'])
})

test('only gives back what was freed where that is all that it has grown by', async () => {
  await clock.advance(10_000)
  await becomeReady()
  await clock.advance(60_000)
  size = 130 * MB
  freed = 25 * MB
  await clock.advance(600_000)
  expect(size).toBe(105 * MB)
  expect(sinceStart()).toEqual([])
})

test('takes no notice of a growth of a few megabytes, however small it was', async () => {
  size = 20 * MB
  await clock.advance(10_000)
  await becomeReady()
  await clock.advance(60_000)
  size = 28 * MB
  await clock.advance(600_000)
  expect(sinceStart()).toEqual([])
})

test('is over at once when it is stopped before the node was ready', async () => {
  stop.abort()
  await running
  expect(done).toEqual([])
})
