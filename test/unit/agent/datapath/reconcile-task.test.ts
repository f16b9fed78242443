import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AgentCounts } from '../../../../src/counts/agent-counts.ts'
import { ReconcileTask } from '../../../../src/agent/datapath/reconcile-task.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { AgentStatus } from '../../../../src/agent/runtime/status.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { KernelError } from '../../../../src/kernel/kernel.ts'
import type { PassReport, Reconciler } from '../../../../src/reconcile/reconciler.ts'
import { Wakeup } from '../../../../src/time/wakeup.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

const NOTHING: PassReport = {
  ...{ written: 0, erased: 0, failures: [], tookSnapshot: false, linkIndex: 7, undone: 0 },
  undoneIn: { neighbour: 0, fdb: 0, route: 0 },
  ...{ undoneExample: undefined, flapping: undefined },
}
const UNREADABLE = new KernelError({ op: 'snapshot', errno: 105, code: 'ENOBUFS', target: '', message: 'lost' })

let clock: FakeClock
let log: RecordingLog
let stop: AbortController
let running: Promise<void> | undefined
let somethingToDo: Wakeup
/** When passes were made, in milliseconds, and when the tables were said to be in doubt. */
let passes: number[]
let doubts: number[]
let forwards: number
/** What each pass says, and when the next is due. */
let report: PassReport
let nextPassInMs: number | undefined
let failure: Error | undefined

beforeEach(() => {
  ;[clock, log, stop, somethingToDo] = [new FakeClock(), recordingLog(), new AbortController(), new Wakeup()]
  ;[passes, doubts, forwards, report, nextPassInMs, failure, running] = [
    [],
    [],
    0,
    NOTHING,
    undefined,
    undefined,
    undefined,
  ]
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

/** What the task asks of the reconciler, in few words. */
const reconciler = (): Partial<Reconciler> => ({
  pass: () => {
    passes.push(clock.monotonicMs())
    return failure === undefined ? Promise.resolve(report) : Promise.reject(failure)
  },
  invalidate: () => void doubts.push(clock.monotonicMs()),
  nextPassInMs: () => nextPassInMs,
  refusedRows: () => [][Symbol.iterator]() as Generator<never>,
  linkIndex: 7,
  wanted: 0,
  pending: 0,
  isUnderlayRead: true,
})

async function start(peers = 1): Promise<void> {
  const conditions = new Conditions({ clock, log })
  const task = new ReconcileTask({
    ports: { clock, log, conditions, status: new AgentStatus({ clock, conditions }), counts: new AgentCounts() },
    reconciler: reconciler() as Reconciler,
    sink: { peers },
    readiness: { forwards: () => forwards++ },
    ...{ family: 4, on: 'device', somethingToDo, gate: undefined },
  })
  running = runTask(task, runtime(clock, stop.signal))
  await clock.settle()
}

describe('the tables', () => {
  it('are read in full once a minute, whatever else is due later, and left alone between', async () => {
    await start()
    await clock.advance(59_999)
    expect([passes, doubts]).toEqual([[0], []])
    nextPassInMs = 1_000_000
    await clock.advance(1)
    expect([passes, doubts]).toEqual([[0, 60_000], [60_000]])
    await clock.advance(60_000)
    expect([passes, doubts]).toEqual([
      [0, 60_000, 120_000],
      [60_000, 120_000],
    ])
  })

  it.each([
    [1_000, 60_000],
    [5_000, 300_000],
    [60_000, 600_000],
  ])('of %d peers are read in full every %d ms', async (peers, everyMs) => {
    await start(peers)
    await clock.advance(everyMs - 1)
    expect(doubts).toEqual([])
    await clock.advance(1)
    expect(doubts).toEqual([everyMs])
  })

  it('that were read for another reason need no reading for a minute from then', async () => {
    await start()
    await clock.advance(40_000)
    report = { ...NOTHING, tookSnapshot: true }
    somethingToDo.ring()
    await clock.settle()
    await clock.advance(59_999)
    expect([passes, doubts]).toEqual([[0, 40_000], []])
    await clock.advance(1)
    expect(doubts).toEqual([100_000])
  })

  it('have a pass when one is due, and at once when something is to be done', async () => {
    nextPassInMs = 2_000
    await start()
    await clock.advance(1_999)
    nextPassInMs = undefined
    await clock.advance(5_001)
    somethingToDo.ring()
    await clock.settle()
    expect(passes).toEqual([0, 2_000, 7_000])
  })

  it('that cannot be read are tried again every second, which is said once, and when they can be', async () => {
    failure = UNREADABLE
    await start()
    await clock.advance(3_000)
    expect(passes).toEqual([0, 1_000, 2_000, 3_000])
    failure = undefined
    await clock.advance(1_000)
    expect(log.lines).toEqual([
      expect.stringMatching(/^warn cannot read the kernel's tables: /),
      "info the kernel's tables can be read again",
    ])
  })

  it('forward only once those of this device have been read in full', async () => {
    await start()
    expect(forwards).toBe(0)
    report = { ...NOTHING, tookSnapshot: true, linkIndex: 6 }
    somethingToDo.ring()
    await clock.settle()
    expect(forwards).toBe(0)
    report = { ...NOTHING, tookSnapshot: true }
    somethingToDo.ring()
    await clock.settle()
    expect(forwards).toBe(1)
  })

  it('say what somebody else has changed, and what the kernel refuses: ever more rarely, and not all of many', async () => {
    const refused = (times: number, row = 'route 10.0.16.0/20') => ({
      row,
      peer: '10.0.16.0-20',
      error: UNREADABLE,
      times,
    })
    report = { ...NOTHING, undone: 2, undoneExample: 'fdb x', flapping: 'neighbour y', failures: [refused(1)] }
    await start()
    expect(log.lines).toEqual([
      'warn entries changed from outside; restoring them entries=2 one=fdb x',
      expect.stringMatching(/^warn an entry keeps being changed from outside.* entry=neighbour y$/),
      expect.stringMatching(
        /^warn the kernel refuses route 10\.0\.16\.0\/20: .*peer=10\.0\.16\.0-20 code=ENOBUFS times=1$/,
      ),
    ])
    for (const times of [2, 3, 4, 5, 6, 7, 8]) {
      report = { ...NOTHING, failures: [refused(times)] }
      somethingToDo.ring()
      await clock.settle()
    }
    expect(log.lines.slice(3).map((line) => /times=\d+/.exec(line)?.[0])).toEqual(['times=2', 'times=4', 'times=8'])
    report = { ...NOTHING, failures: Array.from({ length: 11 }, (_, at) => refused(1, `row ${at}`)) }
    somethingToDo.ring()
    await clock.settle()
    expect(log.lines.slice(6)).toHaveLength(11)
    expect(log.lines.at(-1)).toBe('warn further entries were refused entries=11')
  })
})
