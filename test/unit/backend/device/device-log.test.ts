import { expect, test } from 'vitest'
import { DeviceLog } from '../../../../src/backend/device/device-log.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { recordingLog } from '../../../fake/recording-log.ts'

test('an MTU that the underlay does not carry is said once, and again for another one', () => {
  const log = recordingLog()
  const reporter = new DeviceLog({ name: 'flannel.100' }, log)
  const link = new FakeKernel().addCard('eth0')
  for (const [configured, used] of [
    [undefined, 1_450],
    [1_400, 1_400],
    [1_500, 1_450],
    [1_500, 1_450],
    [1_600, 1_450],
    [1_450, 1_450],
    [1_600, 1_450],
    [undefined, 1_450],
  ] as const)
    reporter.mtu(configured, used, link)
  expect(log.lines.map((line) => line.match(/\d{4}/g)?.join(' '))).toEqual([
    '1500 1450 1450',
    '1600 1450 1450',
    '1600 1450 1450',
  ])
})
