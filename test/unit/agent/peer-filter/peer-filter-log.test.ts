import { beforeEach, expect, test } from 'vitest'
import { AgentCounts } from '../../../../src/counts/agent-counts.ts'
import { PeerFilterLog } from '../../../../src/agent/peer-filter/peer-filter-log.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

let clock: FakeClock
let log: RecordingLog
let reporter: PeerFilterLog

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  reporter = new PeerFilterLog({ log, clock, counts: new AgentCounts(), overlay: { vni: 100, port: 8472 } })
})

const strangers = (packets: number): void => {
  reporter.drops({ packets, forged: 0 })
}

/** Packets that were said to be dropped, of those since the last time and of all. */
const said = (): readonly string[] =>
  log.lines.map((line) => line.replace(/^warn .* packets=(\d+) total=(\d+) vni=100 port=8472$/, '$1 of $2'))

test('what an earlier run has let be counted is no news, and each packet is said once', () => {
  for (const packets of [10, 10, 13, 13, 20]) strangers(packets)
  expect(said()).toEqual(['3 of 3', '7 of 10'])
})

test('a filter made anew counts from 0, by us or by somebody else', () => {
  strangers(10)
  reporter.madeAnew()
  strangers(2)
  strangers(1)
  expect(said()).toEqual(['2 of 2', '1 of 3'])
})

test('a flood is two lines, and then one a minute, with all that were dropped meanwhile', async () => {
  strangers(0)
  for (let packets = 1; packets <= 100; packets++) strangers(packets)
  expect(said()).toEqual(['1 of 1', '1 of 2'])
  await clock.advance(60_000)
  strangers(110)
  strangers(111)
  expect(said()).toEqual(['1 of 1', '1 of 2', '108 of 110'])
})

test('what this host itself forges is counted by itself, and said in other words', () => {
  reporter.drops({ packets: 5, forged: 5 })
  reporter.drops({ packets: 5, forged: 9 })
  expect(log.lines).toHaveLength(1)
  expect(log.lines[0]).toMatch(/a process or container of this host .* packets=4 total=4 vni=100 port=8472$/)
})

test('why it does not reach to what this host forges is said once for each reason', () => {
  for (const why of [undefined, 'no fib', 'no fib', undefined, 'no fib']) reporter.reach(why)
  expect(log.lines.map((line) => line.endsWith('reaches peers: no fib'))).toEqual([true, true])
})

test('somebody who changes it is told from somebody who keeps doing so', () => {
  reporter.undone('is gone', false)
  reporter.undone('is gone', true)
  expect(new Set(log.lines).size).toBe(2)
})
