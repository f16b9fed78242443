import { afterEach, beforeEach, expect, it } from 'vitest'
import { RoomTask } from '../../../../src/agent/peers/room-task.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { parseNetworkConfig } from '../../../../src/config/network.ts'
import { freeSubnets, takenSubnets, type KnownLeases } from '../../../../src/lease/free-subnets.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

/** 256 subnets: twelve are fewer than one in twenty of them. */
const { overlays } = parseNetworkConfig('{"Network":"10.0.0.0/16","SubnetLen":24,"SubnetMin":"10.0.0.0"}')

let clock: FakeClock
let conditions: Conditions
let leases: number
/** Of those, so many have keys that name no subnet. */
let junk: number
let stop: AbortController
let running: Promise<void>

/** As the table of peers has them: those that are no subnets are rejected. */
const known = (): KnownLeases => ({
  inForce: () =>
    Array.from({ length: Math.min(256, leases - junk) }, (_, at) => {
      const subnet = prefix(`10.0.${at}.0/24`)
      return [`10.0.${at}.0-24`, new Map([[4, { subnet }]])] as const
    }),
  rejected: new Map(Array.from({ length: junk }, (_, at) => [`junk-${at}`, 'no subnet'])),
})

beforeEach(() => {
  clock = new FakeClock()
  conditions = new Conditions({ clock, log: recordingLog() })
  leases = 1
  junk = 0
  stop = new AbortController()
  const task = new RoomTask({
    ports: { conditions },
    overlays,
    leases: () => leases,
    room: (overlay) => freeSubnets(overlay, [...takenSubnets([], known())]),
  })
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

it('does not take keys that name no subnet for leases', async () => {
  junk = 5_000
  expect(await withLeases(5_010)).toEqual([])
  expect((await withLeases(5_250))[0]).toContain('6 of 256')
})
