import { beforeEach, describe, expect, test } from 'vitest'
import { unwantedFilter } from '../../../../src/agent/peer-filter/unwanted-filter.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { FakePeerFilter } from '../../../fake/fake-peer-filter.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

let clock: FakeClock
let peerFilter: FakePeerFilter
let log: RecordingLog

beforeEach(() => {
  clock = new FakeClock()
  peerFilter = new FakePeerFilter()
  log = recordingLog()
})

/** Runs the task while something happens, then stops it. */
async function runWhile(happens: () => Promise<void>): Promise<void> {
  const stop = new AbortController()
  const running = runTask(
    unwantedFilter({ peerFilter, log, conditions: new Conditions({ clock, log }) }),
    runtime(clock, stop.signal),
  )
  await clock.settle()
  await happens()
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
}

describe('a peer filter that nobody asks for', () => {
  test.each([
    [100, 8472],
    [7, 4789],
  ])('is removed, for VNI %i and port %i as for any', async (vni, port) => {
    await peerFilter.install({ vni, port }, [])
    await runWhile(() => clock.advance(500))
    expect(peerFilter.peers).toBeUndefined()
    expect(log.lines).toEqual([expect.stringContaining('not asked for any more')])
  })

  test('that is not there, or cannot be without nft, is not worth a word', async () => {
    await runWhile(() => clock.advance(60_000))
    peerFilter.broken = 'MISSING'
    await runWhile(() => clock.advance(60_000))
    expect(log.lines).toEqual([])
  })

  test('that nft refuses to remove is tried again, and said once', async () => {
    await peerFilter.install({ vni: 100, port: 8472 }, [])
    peerFilter.broken = 'TIMEOUT'
    await runWhile(async () => {
      await clock.advance(45_000)
      peerFilter.broken = undefined
      await clock.advance(15_000)
    })
    expect(peerFilter.peers).toBeUndefined()
    expect(log.lines).toEqual([
      expect.stringMatching(/^warn .*cannot be looked for or removed: nft TIMEOUT; trying again/),
      expect.stringContaining('its table is removed'),
    ])
  })
})
