import { expect, test } from 'vitest'
import { ReachLog } from '../../../../src/agent/probes/reach-log.ts'
import type { ReachChange } from '../../../../src/probe/reach.ts'
import type { Reach } from '../../../../src/probe/reach.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog } from '../../../fake/recording-log.ts'

const change = (before: Reach, after: Reach, key = '10.1.0.0-20'): ReachChange => ({
  ...{ key, family: 4 },
  before: { reach: before, sinceMs: 0, loss: 0 },
  after: { reach: after, sinceMs: 0, loss: 0.25, passesOctets: after === 'mtu' ? 1_372 : undefined },
})

const make = () => {
  const [log, clock] = [recordingLog(), new FakeClock()]
  return { log, clock, reaches: new ReachLog({ log, clock, peer: () => undefined }) }
}

test('says when packets arrive at a peer otherwise than before, and not that they do at first', () => {
  const { log, reaches } = make()
  reaches.say([change('unknown', 'reachable'), change('reachable', 'unknown'), change('lossy', 'lossy')])
  expect(log.lines).toEqual([])
  reaches.say([change('reachable', 'mtu'), change('unknown', 'unreachable'), change('unreachable', 'reachable')])
  expect(log.lines).toEqual([
    'info large packets do not arrive at a peer subnet=10.1.0.0-20 before=reachable loss=0.25 passesOctets=1372',
    'info packets do not arrive at a peer subnet=10.1.0.0-20 before=unknown loss=0.25',
    'info packets arrive at a peer again subnet=10.1.0.0-20 before=unreachable loss=0.25',
  ])
})

test('says losses in two figures', () => {
  const { log, reaches } = make()
  const { after, ...lossy } = change('reachable', 'lossy')
  reaches.say([{ ...lossy, after: { ...after, loss: 5 / 6 } }])
  expect(log.lines.join()).toMatch(/ loss=0\.83$/)
})

test('counts many at once, and those that change one after the other without end', async () => {
  const { log, clock, reaches } = make()
  const lost = Array.from({ length: 1_000 }, (_, at) => change('reachable', 'unreachable', `${at}`))
  reaches.say([...lost, change('unreachable', 'reachable')])
  expect(log.lines).toEqual(['info packets arrive at peers otherwise than before worse=1000 better=1'])
  for (let at = 0; at < 500; at++) {
    reaches.say([change('reachable', 'lossy'), change('lossy', 'reachable')])
    await clock.advance(20)
  }
  expect(log.lines.length).toBeLessThan(30)
})
