import { afterEach, beforeEach, expect, test } from 'vitest'
import { OwnAddresses } from '../../../../src/agent/around/own-addresses.ts'
import { ChangesTask } from '../../../../src/agent/datapath/kernel-changes-task.ts'
import { runTogether } from '../../../../src/agent/runtime/task.ts'
import { KernelError, type KernelOp } from '../../../../src/kernel/kernel.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { recordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

let kernel: FakeKernel
let clock: FakeClock
let addresses: OwnAddresses
let changes: number
let stop: AbortController
let running: Promise<void>

const address = (op: 'address.add' | 'address.delete', link: string, text: string): KernelOp => ({
  op,
  linkIndex: kernel.indexOf(link) ?? 0,
  ip: ip(text),
  prefixLength: 24,
})

beforeEach(async () => {
  kernel = new FakeKernel()
  clock = new FakeClock()
  for (const name of ['eth0', 'eth1']) kernel.addCard(name)
  kernel.outside(address('address.add', 'eth0', '10.0.2.15'), address('address.add', 'eth1', '10.5.3.1'))
  changes = 0
  const ports = { kernel, clock, log: recordingLog() }
  addresses = new OwnAddresses({ ports, subnets: [prefix('10.5.0.0/16')], onChange: () => changes++ })
  stop = new AbortController()
  await addresses.read(stop.signal)
  const followers = [addresses]
  running = runTogether([new ChangesTask({ ports, followers }), addresses], runtime(clock, stop.signal))
  await clock.settle()
  await clock.advance(5_000)
})

afterEach(async () => {
  stop.abort()
  await running
})

test('are those of every interface, but for those in our subnet', () => {
  expect(addresses.interfaceOf('10.0.2.15')).toBe('eth0')
  expect(addresses.interfaceOf('10.5.3.1')).toBeUndefined()
  expect(addresses.interfaceOf('127.0.0.1')).toBeUndefined()
})

test('are told of once for all that come and go within two seconds, and not at all for those in our subnet', async () => {
  changes = 0
  for (let n = 1; n <= 100; n++) kernel.outside(address('address.add', 'eth1', `172.18.${n}.1`))
  await clock.advance(1_900)
  kernel.outside(address('address.delete', 'eth1', '172.18.1.1'))
  await clock.advance(5_000)
  expect(changes).toBeLessThanOrEqual(2)
  expect([addresses.interfaceOf('172.18.1.1'), addresses.interfaceOf('172.18.100.1')]).toEqual([undefined, 'eth1'])
  changes = 0
  kernel.outside(address('address.add', 'eth1', '10.5.7.1'))
  await clock.advance(5_000)
  expect(changes).toBe(0)
})

test('are one’s own as long as any interface has them', async () => {
  kernel.outside(address('address.add', 'eth1', '10.0.2.15'), address('address.delete', 'eth0', '10.0.2.15'))
  await clock.advance(5_000)
  expect(addresses.interfaceOf('10.0.2.15')).toBe('eth1')
})

test('are read again when reports were lost', async () => {
  changes = 0
  kernel.faults.loseNotifications = true
  kernel.outside(address('address.add', 'eth1', '172.18.0.1'))
  kernel.heal()
  await clock.advance(5_000)
  expect([addresses.interfaceOf('172.18.0.1'), changes]).toEqual(['eth1', 1])
})

test('are no change when they are read first, and judge nobody a second time', () => {
  expect(changes).toBe(0)
})

test('that could not be read at first are told of when they are', async () => {
  stop.abort()
  await running
  stop = new AbortController()
  const ports = { kernel, clock, log: recordingLog() }
  addresses = new OwnAddresses({ ports, subnets: [], onChange: () => changes++ })
  const refusal = { op: 'links', errno: 105, code: 'ENOBUFS', target: '', message: 'no buffer space' } as const
  kernel.faults.gate = () => Promise.reject(new KernelError(refusal))
  await addresses.read(stop.signal)
  kernel.heal()
  running = runTogether([new ChangesTask({ ports, followers: [addresses] }), addresses], runtime(clock, stop.signal))
  await clock.advance(5_000)
  expect([addresses.interfaceOf('10.0.2.15'), changes]).toEqual(['eth0', 1])
})
