import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SubnetRelease } from '../../../../src/agent/subnet-file/subnet-release.ts'
import { ip } from '../../../../src/net/ip.ts'
import type { Family } from '../../../../src/net/ip.ts'
import { FirewallError } from '../../../../src/kernel/firewall.ts'
import { AgentWorld, CONFIG } from '../../../fake/agent-world.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

describe('the subnet file is released', () => {
  let clock: FakeClock
  let log: RecordingLog
  let release: SubnetRelease
  let releases: number
  /** The families that readers were told of last, and those that are left out. */
  let told: unknown
  let stop: AbortController
  let running: Promise<void>

  beforeEach(() => {
    clock = new FakeClock()
    log = recordingLog()
    releases = 0
    stop = new AbortController()
    make([4])
  })

  function make(families: readonly Family[]): void {
    told = undefined
    const file = {
      release: (found: Iterable<Family>) => {
        releases++
        told = [[...found]]
      },
    }
    const status = { goesWithout: (left: readonly Family[]) => (told = [...(told as readonly unknown[]), left]) }
    release = new SubnetRelease({ ports: { clock, log, status }, file, families })
    running = runTask(release, runtime(clock, stop.signal))
  }

  afterEach(async () => {
    stop.abort()
    await running
    expect(clock.sleeping).toBe(0)
  })

  test('when the overlay forwards and firewall and host have been tried, whichever comes last', async () => {
    release.hasTried('firewall')
    release.hasTried('forwarding')
    await clock.advance(86_400_000)
    expect(releases).toBe(0)
    release.forwards(4)
    await clock.settle()
    expect(releases).toBe(1)
  })

  test.each([
    ['firewall', 'forwarding'],
    ['forwarding', 'firewall'],
  ] as const)('not before the %s has been tried, though the overlay forwards, and %s has', async (last, first) => {
    release.forwards(4)
    release.hasTried(first)
    await clock.advance(4_999)
    expect([releases, release.isForwarding]).toEqual([0, true])
    release.hasTried(last)
    await clock.advance(86_400_000)
    expect(releases).toBe(1)
    expect(log.lines).toEqual([])
  })

  test('five seconds after the overlay forwards where the host does not answer, which is said', async () => {
    await clock.advance(60_000)
    release.forwards(4)
    await clock.advance(4_999)
    expect(releases).toBe(0)
    await clock.advance(1)
    expect(releases).toBe(1)
    expect(log.lines).toEqual([
      'warn the firewall does not answer; containers may be started before its rules stand seconds=5',
      'warn the settings of the host do not answer; containers may be started before it forwards their packets seconds=5',
    ])
    release.hasTried('firewall')
    release.hasTried('forwarding')
    await clock.advance(86_400_000)
    expect(releases).toBe(1)
  })

  describe('for a node of both families', () => {
    beforeEach(async () => {
      stop.abort()
      await running
      stop = new AbortController()
      make([4, 6])
      release.hasTried('firewall')
      release.hasTried('forwarding')
    })

    test('when both forward', async () => {
      release.forwards(4)
      await clock.advance(4_999)
      expect(told).toBeUndefined()
      release.forwards(6)
      await clock.settle()
      expect([told, log.lines]).toEqual([[[4, 6], []], []])
    })

    test('five seconds after IPv4 forwards without IPv6, which is said; and with it when it does', async () => {
      release.forwards(4)
      await clock.advance(5_000)
      expect(told).toEqual([[4], [6]])
      expect(log.lines).toEqual(['warn IPv6 is not set up; containers may be started without it, until it is'])
      await clock.advance(86_400_000)
      expect(releases).toBe(1)
      release.forwards(6)
      await clock.settle()
      expect([releases, told]).toEqual([2, [[4, 6], []]])
    })

    test('never without IPv4: readers of the file look for that', async () => {
      release.forwards(6)
      await clock.advance(86_400_000)
      expect(releases).toBe(0)
    })
  })

  test('never once it has been told to stop', async () => {
    release.forwards(4)
    stop.abort()
    await running
    expect(releases).toBe(0)
  })
})

describe('an agent', () => {
  let world: AgentWorld
  beforeEach(async () => {
    world = await AgentWorld.create()
    world.etcd.putConfig(CONFIG)
  })
  afterEach(() => world.close())

  test('of both families writes its subnet file only when the host forwards IPv6', async () => {
    world.etcd.putConfig(CONFIG.replace('"Backend"', '"EnableIPv6":true,"IPv6Network":"fd00:10::/48","Backend"'))
    const linkIndex = world.kernel.indexOf('eth0') ?? 0
    world.kernel.outside({ op: 'address.add', linkIndex, ip: ip('fd00:205::10'), prefixLength: 64 })
    world.sysctls.set('net/ipv6/conf/all/forwarding', '0')
    const answer = world.holdSetting('net/ipv6/conf/all/forwarding')
    await world.start()
    await world.until('forwarding', () => world.forwards())
    await world.advance(4_000)
    expect(await world.readSubnetFile()).toBeUndefined()
    answer()
    await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
    expect(world.sysctls.get('net/ipv6/conf/all/forwarding')).toBe('1')
  })

  test('with --ip-masq writes its subnet file after the rules of the firewall', async () => {
    const answer = world.firewall.holdBack()
    await world.start({ ipMasq: true })
    await world.until('forwarding', () => world.forwards())
    await world.advance(4_000)
    expect([world.firewall.standing, await world.readSubnetFile()]).toEqual([undefined, undefined])
    answer()
    await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
    expect(world.firewall.standing?.masquerade).toBe(true)
  })

  test('with --ip-masq writes it at once where the rules cannot be had, and is not ready, though whatever waits for it may start', async () => {
    world.firewall.problems = [new FirewallError('iptables-save', 'MISSING', 'iptables is not installed')]
    await world.start({ ipMasq: true })
    await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
    expect(world.status.state).toMatchObject({ ready: false, startable: true, reasons: [/^firewall: iptables/] })
  })
})
