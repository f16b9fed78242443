import { beforeEach, expect, test } from 'vitest'
import { PeerFilterLog } from '../../../../src/agent/peer-filter/peer-filter-log.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

let clock: FakeClock
let log: RecordingLog
let reporter: PeerFilterLog

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  reporter = new PeerFilterLog({ log, clock, overlay: { vni: 100, port: 8472 } })
})

/** Packets that were said to be dropped, of those since the last time and of all. */
const said = (): readonly string[] =>
  log.lines.map((line) => line.replace(/^warn .* packets=(\d+) total=(\d+) vni=100 port=8472$/, '$1 of $2'))

test('what an earlier run has let be counted is no news, and each packet is said once', () => {
  for (const packets of [10, 10, 13, 13, 20]) reporter.drops({ packets })
  expect(said()).toEqual(['3 of 3', '7 of 10'])
})

test('a filter made anew counts from 0, by us or by somebody else', () => {
  reporter.drops({ packets: 10 })
  reporter.madeAnew()
  reporter.drops({ packets: 2 })
  reporter.drops({ packets: 1 })
  expect(said()).toEqual(['2 of 2', '1 of 3'])
})

test('a flood is two lines, and then one a minute, with all that were dropped meanwhile', async () => {
  reporter.drops({ packets: 0 })
  for (let packets = 1; packets <= 100; packets++) reporter.drops({ packets })
  expect(said()).toEqual(['1 of 1', '1 of 2'])
  await clock.advance(60_000)
  reporter.drops({ packets: 110 })
  reporter.drops({ packets: 111 })
  expect(said()).toEqual(['1 of 1', '1 of 2', '108 of 110'])
})

test('somebody who changes it is told from somebody who keeps doing so', () => {
  reporter.undone('is gone', false)
  reporter.undone('is gone', true)
  expect(new Set(log.lines).size).toBe(2)
})
