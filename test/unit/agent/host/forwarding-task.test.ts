import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ForwardingTask } from '../../../../src/agent/host/forwarding-task.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import type { Family } from '../../../../src/net/ip.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

const IPV4 = 'net/ipv4/ip_forward'
const IPV6 = 'net/ipv6/conf/all/forwarding'
const ACCEPT_RA = 'net/ipv6/conf/eth0/accept_ra'
const DEVICE = 'flannel.100'
const OURS = `net/ipv4/conf/${DEVICE}/forwarding`
const BRIDGE = 'net/bridge/bridge-nf-call-iptables'
const EVERY_MS = 5_000

let clock: FakeClock
let kernel: FakeKernel
let log: RecordingLog
let conditions: Conditions
let settings: Map<string, string>
/** What every write meets, while there is any. */
let refusal: Error | undefined
let writes: string[]
/** What had been written at the end of each look. */
let looked: string[]
let stop: AbortController
let running: Promise<void>
let task: ForwardingTask

async function start(families: readonly Family[] = [4], hasRules = false, device?: string): Promise<void> {
  const ports = {
    ...{ kernel, clock, log, conditions, random: () => 0.5 },
    readSysctl: (name: readonly string[]) => Promise.resolve(settings.get(name.join('/'))),
    setSysctl: (name: readonly string[], value: string) => {
      if (refusal !== undefined) return Promise.reject(refusal)
      writes.push(`${name.join('/')}=${value}`)
      settings.set(name.join('/'), value)
      return Promise.resolve()
    },
  }
  const onLooked = (): void => {
    looked.push(writes.join())
  }
  task = new ForwardingTask({ ports, families, device: () => device, hasRules, everyMs: EVERY_MS, onLooked })
  running = runTask(task, runtime(clock, stop.signal))
  await clock.settle()
}

/** What the node says of itself, as far as it concerns these settings. */
const reasons = (): readonly string[] =>
  conditions.all().flatMap(({ what, reason, effect }) => (effect === 'unready' ? [`${what}: ${reason}`] : []))

function advertiseRouter(): void {
  const { index } = kernel.addCard('eth0')
  const common = { op: 'route.replace', type: 'unicast', linkIndex: index, metric: 1024, protocol: 'ra' } as const
  kernel.outside({ op: 'address.add', linkIndex: index, ip: ip('fd00::10'), prefixLength: 64 })
  kernel.outside({ ...common, destination: prefix('::/0') })
}

beforeEach(() => {
  looked = []
  clock = new FakeClock()
  kernel = new FakeKernel()
  log = recordingLog()
  conditions = new Conditions({ clock, log })
  settings = new Map([
    [IPV4, '1'],
    [IPV6, '1'],
  ])
  refusal = undefined
  writes = []
  stop = new AbortController()
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

describe('forwarding', () => {
  test('that is on is left alone', async () => {
    await start([4, 6])
    await clock.advance(60_000)
    expect([writes, log.lines, reasons()]).toEqual([[], [], []])
  })

  test('that is off is turned on, for the families of the overlay alone', async () => {
    settings.set(IPV4, '0').set(IPV6, '0')
    await start([4])
    expect(writes).toEqual([`${IPV4}=1`])
    expect(log.lines).toEqual([expect.stringMatching(/^info net\.ipv4\.ip_forward was off, turned on/)])
  })

  test('has been tried when it is on in all families, or cannot be turned on', async () => {
    settings.set(IPV4, '0').set(IPV6, '0')
    await start([4, 6])
    expect(looked).toEqual([`${IPV4}=1,${IPV6}=1`])
    settings.set(IPV4, '0')
    refusal = Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' })
    await clock.advance(EVERY_MS)
    expect([looked.length, reasons().length]).toEqual([2, 1])
  })

  test('that somebody turns off is turned on again at the next look, and that is said', async () => {
    await start()
    settings.set(IPV4, '0')
    await clock.advance(EVERY_MS)
    expect(settings.get(IPV4)).toBe('1')
    expect(log.lines).toEqual(['warn net.ipv4.ip_forward was turned off by somebody, turned on again'])
    expect(reasons()).toEqual([])
  })

  test('that somebody keeps turning off is turned on ever more slowly, and the node says that it is off', async () => {
    await start()
    for (let look = 0; look < 60; look++) {
      settings.set(IPV4, '0')
      await clock.advance(EVERY_MS)
    }
    expect(writes.length).toBeLessThan(20)
    expect(log.lines.at(-1)).toMatch(/^warn net\.ipv4\.ip_forward keeps being turned off; .* ever more slowly/)
    settings.set(IPV4, '0')
    await clock.advance(EVERY_MS)
    expect(reasons()).toEqual([expect.stringMatching(/somebody keeps turning it off/)])
  })

  test('that cannot be turned on makes the node not ready; the log says so once, with the cure', async () => {
    settings.set(IPV4, '0')
    refusal = Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' })
    await start()
    await clock.advance(600_000)
    const cure = /^error net\.ipv4\.ip_forward is not on, .*EROFS.* Cure: sysctl -w net\.ipv4\.ip_forward=1/
    expect(log.lines).toEqual([expect.stringMatching(cure)])
    expect(reasons()).toEqual([expect.stringMatching(/^net\.ipv4\.ip_forward: is not on, .*EROFS/)])
    settings.set(IPV4, '1') // the operator
    await clock.advance(EVERY_MS)
    expect([reasons(), log.lines.at(-1)]).toEqual([[], 'info net.ipv4.ip_forward is on now'])
  })

  test('of IPv6 that the kernel does not have makes the node not ready', async () => {
    settings.delete(IPV6)
    refusal = Object.assign(new Error('ENOENT: no such file or directory'), { code: 'ENOENT' })
    await start([4, 6])
    expect(reasons()).toEqual([expect.stringMatching(/^net\.ipv6\.conf\.all\.forwarding: is not on, .*ENOENT/)])
  })
})

describe('forwarding from our device', () => {
  const appear = async (value: string): Promise<void> => {
    settings.set(OURS, value)
    task.observe({ kind: 'link', link: kernel.addCard(DEVICE), gone: false })
    await clock.settle()
  }

  test('is turned on as soon as there is a device, where the host has it off for interfaces to come', async () => {
    await start([4], false, DEVICE)
    expect([writes, reasons()]).toEqual([[], []])
    await appear('0')
    expect(writes).toEqual([`${OURS}=1`])
    expect(log.lines).toEqual([
      expect.stringMatching(/^info net\.ipv4\.conf\.flannel\/100\.forwarding was off, turned on/),
    ])
  })

  test('is nobody’s doing on a device that is made anew; off on one that stood, it is', async () => {
    await start([4], false, DEVICE)
    await appear('0')
    kernel.outside({ op: 'link.delete', linkIndex: kernel.indexOf(DEVICE) ?? 0 })
    await appear('0')
    expect(log.lines.map((line) => line.split(' ')[0])).toEqual(['info', 'info'])
    settings.set(OURS, '0')
    await clock.advance(EVERY_MS)
    expect(settings.get(OURS)).toBe('1')
    expect(log.lines.at(-1)).toBe(
      'warn net.ipv4.conf.flannel/100.forwarding was turned off by somebody, turned on again',
    )
  })

  test('that cannot be turned on makes the node not ready, until the device is gone', async () => {
    settings.set(OURS, '0')
    refusal = Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' })
    await start([4], false, DEVICE)
    expect(reasons()).toEqual([expect.stringMatching(/^net\.ipv4\.conf\.flannel\/100\.forwarding: is not on, .*EROFS/)])
    settings.delete(OURS)
    await clock.advance(EVERY_MS)
    expect(reasons()).toEqual([])
  })
})

describe('a default route that a router advertises', () => {
  test('is kept: advertisements stay heeded, before IPv6 is forwarded', async () => {
    settings.set(IPV6, '0').set(ACCEPT_RA, '1')
    advertiseRouter()
    await start([4, 6])
    expect(writes).toEqual([`${ACCEPT_RA}=2`, `${IPV6}=1`])
    expect(log.lines[0]).toMatch(/^info router advertisements are heeded .* iface=eth0 accept_ra=2/)
  })

  test.each(['0', '2'])('changes nothing where accept_ra is %s', async (value) => {
    settings.set(IPV6, '0').set(ACCEPT_RA, value)
    advertiseRouter()
    await start([6])
    expect(writes).toEqual([`${IPV6}=1`])
  })

  test('changes nothing where IPv6 is forwarded already', async () => {
    settings.set(ACCEPT_RA, '1')
    advertiseRouter()
    await start([6])
    expect(writes).toEqual([])
  })

  test('that is none changes nothing', async () => {
    settings.set(IPV6, '0').set(ACCEPT_RA, '1')
    kernel.addCard('eth0')
    await start([6])
    expect(writes).toEqual([`${IPV6}=1`])
  })
})

describe('packets between containers on one bridge', () => {
  const escape = /do not pass the firewall; those between hosts do$/

  test.each([
    ['br_netfilter is not loaded', undefined],
    ['net.bridge.bridge-nf-call-iptables is 0', '0'],
  ])('escape the rules, which is said once, while %s', async (reason, value) => {
    if (value !== undefined) settings.set(BRIDGE, value)
    await start([4], true)
    await clock.advance(600_000)
    expect(log.lines).toEqual([expect.stringMatching(escape)])
    expect(log.lines[0]).toContain(`info ${reason}: `)
    expect(reasons()).toEqual([])
  })

  test.each([
    ['pass the rules with br_netfilter', '1', true],
    ['are nobody’s business without rules', '0', false],
  ])('%s', async (_, value, hasRules) => {
    settings.set(BRIDGE, value)
    await start([4], hasRules)
    expect(log.lines).toEqual([])
  })
})
