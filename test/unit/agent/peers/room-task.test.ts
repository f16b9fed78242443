import { afterEach, beforeEach, expect, it } from 'vitest'
import { RoomTask } from '../../../../src/agent/peers/room-task.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { parseNetworkConfig } from '../../../../src/config/network.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

/** 256 subnets: twelve are fewer than one in twenty of them. */
const { overlays } = parseNetworkConfig('{"Network":"10.0.0.0/16","SubnetLen":24,"SubnetMin":"10.0.0.0"}')

let clock: FakeClock
let conditions: Conditions
let leases: number
let stop: AbortController
let running: Promise<void>

beforeEach(() => {
  clock = new FakeClock()
  conditions = new Conditions({ clock, log: recordingLog() })
  leases = 1
  stop = new AbortController()
  const task = new RoomTask({ ports: { conditions }, overlays, leases: () => leases })
  running = runTask(task, runtime(clock, stop.signal))
})

afterEach(async () => {
  stop.abort()
  await running
})

const withLeases = async (count: number): Promise<readonly string[]> => {
  leases = count
  await clock.advance(60_000)
  return conditions.all().map(({ what, effect, reason }) => `${effect} ${what}: ${reason}`)
}

it('notes that fewer than one subnet in twenty is free, until there are more', async () => {
  expect(await withLeases(243)).toEqual([])
  expect(await withLeases(244)).toEqual([
    expect.stringMatching(/^none free subnets: 12 of 256 subnets of 10\.0\.0\.0\/16 are left for further hosts/),
  ])
  expect((await withLeases(300))[0]).toContain('0 of 256')
  expect(await withLeases(243)).toEqual([])
})
