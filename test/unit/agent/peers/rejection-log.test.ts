import { beforeEach, describe, expect, test } from 'vitest'
import { RejectionLog } from '../../../../src/agent/peers/rejection-log.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

let clock: FakeClock
let log: RecordingLog
let rejections: RejectionLog
let before: ReadonlyMap<string, string>

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  rejections = new RejectionLog({ clock, log })
  before = new Map()
})

const heldBy = (key: string): string => `VtepMAC 02:00:00:00:00:01 is that of ${key}, which is older`
/** All that are rejected now, as the table of peers tells of it: what has changed. */
const say = (...rejected: readonly (readonly [string, string])[]): void => {
  const now = new Map(rejected)
  const changes = [...new Set([...before.keys(), ...now.keys()])].map((key) => ({ key, reason: now.get(key) }))
  rejections.say(changes.filter(({ key, reason }) => before.get(key) !== reason))
  before = now
}

describe('a rejected lease', () => {
  test('is named once, however often it is looked at, also when it was accepted for a moment', () => {
    for (let pass = 0; pass < 5; pass++) {
      say(['10.1.0.0-20', heldBy('10.2.0.0-20')])
      say()
    }
    expect(log.lines).toEqual([`warn lease rejected lease=10.1.0.0-20 reason=${heldBy('10.2.0.0-20')}`])
  })

  test('is named again at once for a reason of another kind', () => {
    say(['10.1.0.0-20', heldBy('10.2.0.0-20')])
    say(['10.1.0.0-20', 'PublicIP 10.0.0.1 is our own'])
    expect(log.lines).toHaveLength(2)
  })

  test('is named again after a minute for another lease that is in its way', async () => {
    say(['10.1.0.0-20', heldBy('10.2.0.0-20')])
    await clock.advance(59_999)
    say(['10.1.0.0-20', heldBy('10.3.0.0-20')])
    expect(log.lines).toHaveLength(1)
    await clock.advance(1)
    say(['10.1.0.0-20', heldBy('10.4.0.0-20')])
    say(['10.1.0.0-20', heldBy('10.4.0.0-20')])
    expect(log.lines).toHaveLength(2)
  })

  test('that was accepted for more than a minute is named anew for the same reason', async () => {
    say(['10.1.0.0-20', heldBy('10.2.0.0-20')])
    say()
    await clock.advance(60_000)
    say(['10.1.0.0-20', heldBy('10.2.0.0-20')])
    expect(log.lines).toHaveLength(2)
  })
})

describe('many rejected leases', () => {
  const many = (count: number, elder: string): ReadonlyMap<string, string> =>
    new Map(Array.from({ length: count }, (_, at) => [`10.${at}.0.0-20`, heldBy(elder)]))

  test('are named up to twenty; how many more there are is said', () => {
    say(...many(300, '10.255.0.0-20'))
    expect(log.lines).toHaveLength(21)
    expect(log.lines.at(-1)).toBe('warn further leases rejected leases=280')
  })

  test('that come one by one are each named', () => {
    for (let count = 1; count <= 50; count++) say(...many(count, '10.255.0.0-20'))
    expect(log.lines).toHaveLength(50)
  })

  test('of which one after the other goes away make no line for each and every other', async () => {
    for (let count = 300; count > 0; count--) {
      say(...many(count, `10.${count}.0.0-20`))
      await clock.advance(20)
    }
    expect(log.lines.length).toBeLessThanOrEqual(110)
  })

  test('are all counted in the end, though each line may come a minute after the other', async () => {
    for (let count = 1; count <= 300; count++) say(...many(count, '10.255.0.0-20'))
    await clock.advance(60_000)
    say(...many(400, '10.255.0.0-20'))
    const counts = log.lines.map((line) => Number(/leases=(\d+)/.exec(line)?.[1] ?? 1))
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(400)
  })

  test('rewritten without end are not a line each', async () => {
    for (let pass = 0; pass < 6_000; pass++) {
      say([`10.${pass}.0.0-20`, pass % 2 === 0 ? 'not JSON' : 'no PublicIP'])
      await clock.advance(10)
    }
    expect(log.lines.length).toBeLessThanOrEqual(100 + 20 + 2)
  })
})
