import { beforeEach, describe, expect, it } from 'vitest'
import { DeviceDamping } from '../../../../src/backend/device/device-damping.ts'
import type { Deviation, DeviceProperty } from '../../../../src/backend/device/deviation.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { deviceSpecOn } from '../../../fake/samples.ts'

let clock: FakeClock
let damping: DeviceDamping
let fights: string[]

beforeEach(() => {
  clock = new FakeClock()
  fights = []
  damping = new DeviceDamping({ clock, random: () => 0.5, onFight: ({ found }) => fights.push(found) })
  damping.due([])
})

const wrong = (property: DeviceProperty): Deviation => ({ property, found: `${property} wrong`, ops: [] })

/** One look that finds `properties` wrong and mends what is due. @returns what was mended */
function look(...properties: readonly DeviceProperty[]): readonly DeviceProperty[] {
  const due = damping.due(properties.map(wrong))
  damping.mended(due)
  return due.map(({ property }) => property)
}

/** Somebody undoes it again whenever it has been mended, for this long. @returns how often it was mended */
async function fightOver(property: DeviceProperty, forMs: number): Promise<number> {
  let mended = 0
  for (let passedMs = 0; passedMs < forMs; passedMs += 100) {
    mended += look(property).length
    await clock.advance(100)
  }
  return mended
}

describe('DeviceDamping', () => {
  it('mends at once three times, and then ever more slowly, down to once a minute', async () => {
    expect([look('mtu'), look('mtu'), look('mtu'), look('mtu')]).toEqual([['mtu'], ['mtu'], ['mtu'], []])
    expect(damping.nextDueInMs()).toBe(1_000)
    expect(await fightOver('mtu', 128_000)).toBeLessThanOrEqual(8)
    expect(await fightOver('mtu', 600_000)).toBeLessThanOrEqual(10)
  })

  it('warns of a fight once, naming what is fought over, and again after a quiet minute', async () => {
    await fightOver('mtu', 300_000)
    expect(fights).toEqual(['mtu wrong'])
    await clock.advance(60_000)
    look('mtu')
    look()
    await clock.advance(61_000)
    expect(look('mtu')).toEqual(['mtu'])
    await fightOver('mtu', 60_000)
    expect(fights).toEqual(['mtu wrong', 'mtu wrong'])
  })

  it('blames nobody for what is expected to be another now, however often that changes', () => {
    damping.expect(deviceSpecOn(2), 'parameters')
    for (let mtu = 1_300; mtu < 1_320; mtu++) {
      damping.expect({ ...deviceSpecOn(2), mtu }, 'parameters')
      expect(look('mtu')).toEqual(['mtu'])
      look()
    }
    expect(fights).toEqual([])
    expect([look('mtu'), look('mtu'), look('mtu'), look('mtu')].flat()).toHaveLength(3)
  })

  it('mends anything else at once meanwhile', async () => {
    await fightOver('existence', 60_000)
    expect(look('existence')).toEqual([])
    expect(look('existence', 'state')).toEqual(['state'])
    expect(look('existence', 'mac')).toEqual(['mac'])
  })

  it('takes one change that is not mended yet for one, however often it is looked at', async () => {
    for (let times = 0; times < 10; times++) damping.due([wrong('mac')])
    expect(fights).toEqual([])
    expect(look('mac')).toEqual(['mac'])
    await clock.advance(1_000)
    expect(look('mac')).toEqual(['mac'])
  })

  it('has nothing due when nothing was put off, also when others mended it', () => {
    expect(damping.nextDueInMs()).toBeUndefined()
    for (let times = 0; times < 4; times++) look('mtu')
    expect(damping.nextDueInMs()).toBeDefined()
    look()
    expect(damping.nextDueInMs()).toBeUndefined()
    for (let times = 0; times < 4; times++) look('mtu')
    expect(look('mac')).toEqual(['mac'])
    expect(damping.nextDueInMs()).toBeUndefined()
  })

  it('blames nobody for what it finds before the device was right for the first time', () => {
    damping = new DeviceDamping({ clock, random: () => 0.5, onFight: ({ found }) => fights.push(found) })
    for (let times = 0; times < 10; times++) expect(look('existence', 'mtu')).toHaveLength(2)
    expect(damping.wasRight).toBe(false)
    look()
    expect(damping.wasRight).toBe(true)
    expect(look('mtu')).toEqual(['mtu'])
    expect(fights).toEqual([])
  })
})
