import { afterEach, expect, it } from 'vitest'
import { waitFor } from '../lab/wait-for.ts'
import { DeviceWorld } from './device-world.ts'
import { tool } from './real-kernel.ts'

let world: DeviceWorld | undefined

afterEach(async () => {
  await world?.dispose()
})

it('an underlay without carrier, or set down, keeps the node from being ready at once, and until it is back', async () => {
  world = new DeviceWorld()
  await world.start()
  await world.whole(5_000)
  const { underlay, conditions } = world
  const reason = (): string | undefined => conditions.all().find(({ what }) => what === 'IPv4 underlay link')?.reason
  const set = (link: string, how: 'up' | 'down'): string => tool('ip', 'link', 'set', link, how)
  const becomes = (expected: string | undefined): Promise<boolean> =>
    waitFor(`"${expected ?? 'no reason'}"`, () => reason() === expected, { deadlineMs: 2_000 })
  set(`p${underlay}`, 'down')
  await becomes(`${underlay} has no carrier`)
  expect(conditions.all()[0]).toMatchObject({ what: 'IPv4 underlay link', effect: 'unready' })
  set(`p${underlay}`, 'up')
  await becomes(undefined)
  set(underlay, 'down')
  await becomes(`${underlay} is down`)
  set(underlay, 'up')
  await becomes(undefined)
})
