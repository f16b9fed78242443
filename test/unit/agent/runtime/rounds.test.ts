import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { AgentStatus } from '../../../../src/agent/runtime/status.ts'
import { isStopped, ROUND_MS, runTask, type TaskContext } from '../../../../src/agent/runtime/task.ts'
import type { Clock } from '../../../../src/time/clock.ts'
import { Wakeup } from '../../../../src/time/wakeup.ts'
import { AgentWorld, CONFIG } from '../../../fake/agent-world.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { recordingLog } from '../../../fake/recording-log.ts'

const MOST_MS = 30_000
const REST_MS = 60_000

let clock: FakeClock
let status: AgentStatus
let stop: AbortController
const running: Promise<unknown>[] = []

beforeEach(() => {
  clock = new FakeClock()
  status = new AgentStatus({ clock, conditions: new Conditions({ clock, log: recordingLog() }) })
  stop = new AbortController()
  running.push(status.watchdog.run(stop))
})

afterEach(async () => {
  stop.abort()
  await Promise.all(running.splice(0))
  expect(clock.sleeping).toBe(0)
  expect(status.watchdog.stuck).toEqual([])
})

const stuck = (): unknown => status.liveness().body['stuck']

/** Runs a task that is watched by `status`, on another clock than the watchdog's where there is one. */
const watched = (run: (context: TaskContext) => Promise<void>, own: Clock = clock): Promise<void> =>
  runTask({ name: 'firewall', roundMs: MOST_MS, run }, runtime(own, stop.signal, status.watchdog))

async function start(run: (context: TaskContext) => Promise<void>): Promise<void> {
  running.push(watched(run))
  await clock.settle()
}

/** Work that lasts until it is told to end, and can begin again. */
class Work {
  #end: () => void = () => undefined
  rounds = 0
  isHanging = false

  do(): Promise<void> {
    this.rounds++
    if (!this.isHanging) return Promise.resolve()
    return new Promise((resolve) => {
      this.#end = resolve
    })
  }

  end(): void {
    this.isHanging = false
    this.#end()
  }
}

const loop =
  (work: Work) =>
  async ({ signal, rest }: TaskContext): Promise<void> => {
    while (!isStopped(signal)) {
      await work.do()
      await rest(REST_MS)
    }
  }

describe('a loop', () => {
  test('that works and rests in turn is alive, however long it rests', async () => {
    const work = new Work()
    await start(loop(work))
    for (let minute = 0; minute < 60; minute++) {
      await clock.advance(60_000)
      expect(stuck()).toEqual([])
    }
    expect(work.rounds).toBe(61)
  })

  test('whose work does not end is stuck, until it does', async () => {
    const work = new Work()
    await start(loop(work))
    work.isHanging = true
    await clock.advance(REST_MS + MOST_MS)
    expect(stuck()).toEqual([])
    await clock.advance(1_000)
    expect(stuck()).toEqual(['firewall: has not come round for 31 s'])
    work.end()
    await clock.settle()
    expect(stuck()).toEqual([])
  })

  test('that gets stuck in its first round is found as well', async () => {
    const work = new Work()
    work.isHanging = true
    await start(loop(work))
    await clock.advance(MOST_MS + 1)
    expect(status.liveness().ok).toBe(false)
    work.end()
    await clock.settle()
  })

  test('whose rest does not end is stuck', async () => {
    const endless: Clock = {
      monotonicMs: () => clock.monotonicMs(),
      sleep: (_, signal) => clock.sleep(Infinity, signal),
    }
    running.push(watched(({ rest }) => rest(REST_MS), endless))
    await clock.advance(REST_MS + MOST_MS + 1_000)
    expect(stuck()).toEqual(['firewall: has not come round for 91 s'])
  })

  test('that is rung for again before it can rest is alive', async () => {
    const bell = new Wakeup()
    await start(async ({ signal, rest }) => {
      while (!isStopped(signal)) {
        bell.ring()
        await clock.sleep(1_000, signal) // its work
        await rest(REST_MS, bell)
      }
    })
    await clock.advance(10 * MOST_MS)
    expect(stuck()).toEqual([])
  })

  test('that has ended, well or badly, is not waited for', async () => {
    await start(() => Promise.resolve())
    await expect(watched(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await clock.advance(10 * MOST_MS)
    expect(stuck()).toEqual([])
  })

  test('that waits for others is not expected to come round meanwhile, and is again when they are done', async () => {
    const [others, work] = [new Work(), new Work()]
    others.isHanging = true
    await start(async (context) => {
      await context.idle(others.do())
      work.isHanging = true
      await work.do()
    })
    await clock.advance(10 * MOST_MS)
    expect(stuck()).toEqual([])
    others.end()
    await clock.advance(MOST_MS + 1_000)
    expect(status.liveness().ok).toBe(false)
    work.end()
    await clock.settle()
  })

  test('that left a rest behind is not waited for when that is over', async () => {
    let rested: Promise<void> = Promise.resolve()
    await watched(({ rest }) => {
      rested = rest(REST_MS)
      return Promise.resolve()
    })
    await clock.advance(REST_MS)
    await rested
    await clock.advance(10 * MOST_MS)
    expect(stuck()).toEqual([])
  })

  test('of which nobody expects rounds is never stuck', async () => {
    const work = new Work()
    work.isHanging = true
    running.push(runTask({ name: 'stream', run: () => work.do() }, runtime(clock, stop.signal, status.watchdog)))
    await clock.advance(100 * MOST_MS)
    expect(stuck()).toEqual([])
    work.end()
    await clock.settle()
  })
})

describe('a whole agent', () => {
  let world: AgentWorld
  beforeEach(async () => {
    world = await AgentWorld.create()
    world.etcd.putConfig(CONFIG)
  })
  afterEach(() => world.close())

  /** Starts it, with somebody who keeps track of its time. */
  async function startWorld(): Promise<void> {
    await world.start({ ipMasq: true, ipBlackholeRoute: true, peerFilter: true, firewallResyncMs: 60_000 })
    const keeping = new AbortController()
    const time = world.status.watchdog.run(keeping)
    onTestFinished(async () => {
      keeping.abort()
      await time
    })
  }

  test('with nothing to do is alive for as long as it runs, also without etcd', async () => {
    await startWorld()
    await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
    for (let minute = 0; minute < 180; minute++) {
      if (minute === 90) world.store.disconnect()
      await world.advance(60_000)
      const isFile = ({ what }: { readonly what: string }): boolean => what.startsWith('subnet file') // takes real time
      expect(world.status.watchdog.stuck.filter((turn) => !isFile(turn))).toEqual([])
    }
    await world.until('all loops alive', () => world.status.liveness().ok)
  })

  test('names the loop that does not come round', async () => {
    const answer = world.firewall.holdBack()
    await startWorld()
    await world.until('forwarding', () => world.forwards())
    await world.advance(ROUND_MS.programs + 1_000)
    const named = /^firewall: has not come round for 18\d s$/
    expect(world.status.liveness().body['stuck']).toEqual(expect.arrayContaining([expect.stringMatching(named)]))
    answer()
    await world.until('all loops alive', () => world.status.liveness().ok)
  })
})

describe('a machine that stands still', () => {
  test.each([1, 2, 3])('is no reason to call anything stuck when it goes on, %i times over', async (times) => {
    const work = new Work()
    await start(loop(work))
    work.isHanging = true
    await clock.advance(REST_MS)
    for (let time = 0; time < times; time++) {
      clock.jump(3_600_000)
      expect(stuck()).toEqual([])
      await clock.advance(1_000)
    }
    work.end()
    await clock.advance(1_000)
    expect(stuck()).toEqual([])
  })

  test('does not hide what gets stuck after that', async () => {
    const work = new Work()
    await start(loop(work))
    work.isHanging = true
    clock.jump(3_600_000)
    await clock.advance(MOST_MS + 1_000)
    expect(status.liveness().ok).toBe(false)
    work.end()
    await clock.settle()
  })
})
