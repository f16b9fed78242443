import { expect, test } from 'vitest'
import { BlackholeTask } from '../../../../src/agent/host/blackhole-task.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { recordingLog } from '../../../fake/recording-log.ts'

const METRIC = 0xffff_fffe
const SUBNET = '10.15.64.0/20'
/** Of an earlier network, of a family that is turned off, and of somebody else. */
const [EARLIER, OTHER_FAMILY, FOREIGN] = ['10.99.16.0/20', 'fd00:10:1::/64', '10.15.80.0/20']

test.each([
  [true, [SUBNET, FOREIGN]],
  [false, [FOREIGN]],
])('blackhole routes of earlier networks and families go; asked for: %s', async (isWanted, left) => {
  const [kernel, clock, stop] = [new FakeKernel(), new FakeClock(), new AbortController()]
  const log = recordingLog()
  const blackhole = { op: 'route.replace', type: 'blackhole', protocol: '70' } as const
  for (const text of [EARLIER, OTHER_FAMILY])
    kernel.outside({ ...blackhole, destination: prefix(text), metric: METRIC })
  kernel.outside({ ...blackhole, destination: prefix(FOREIGN), metric: 5 })
  const running = runTask(
    new BlackholeTask(
      { kernel, log, conditions: new Conditions({ clock, log }) },
      [{ subnet: prefix(SUBNET) }],
      isWanted,
    ),
    runtime(clock, stop.signal),
  )
  await clock.settle()
  const routes = [...(await kernel.routes(4, stop.signal)), ...(await kernel.routes(6, stop.signal))]
  expect(routes.map(({ destination }) => destination.text).sort()).toEqual([...left].sort())
  stop.abort()
  await running
})

test('a blackhole route that the kernel refuses is a condition, said once a minute, and set when it can be', async () => {
  const [kernel, clock, stop] = [new FakeKernel(), new FakeClock(), new AbortController()]
  const log = recordingLog()
  const conditions = new Conditions({ clock, log })
  kernel.faults.refuse = ({ op }) => (op === 'route.replace' ? 'EPERM' : undefined)
  const task = new BlackholeTask({ kernel, log, conditions }, [{ subnet: prefix(SUBNET) }], true)
  const running = runTask(task, runtime(clock, stop.signal))
  await clock.advance(59_999)
  expect(conditions.all()).toMatchObject([{ what: 'blackhole route', effect: 'none' }])
  const refused = expect.stringMatching(/^warn blackhole route: .*; trying again$/) as unknown
  expect(log.lines).toEqual([refused])
  kernel.faults = {}
  await clock.advance(1)
  expect(conditions.all()).toEqual([])
  expect(log.lines).toEqual([
    refused,
    `info blackhole route of our subnet set subnet=${SUBNET}`,
    'info blackhole route: works now',
  ])
  stop.abort()
  await running
})
