import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SubnetRelease } from '../../../../src/agent/subnet-file/subnet-release.ts'
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
  let stop: AbortController
  let running: Promise<void>

  beforeEach(() => {
    clock = new FakeClock()
    log = recordingLog()
    releases = 0
    stop = new AbortController()
    release = new SubnetRelease(
      { clock, log },
      {
        release: () => {
          releases++
        },
      },
    )
    running = runTask(release, runtime(clock, stop.signal))
  })

  afterEach(async () => {
    stop.abort()
    await running
    expect(clock.sleeping).toBe(0)
  })

  test('when the overlay forwards and the firewall has been tried, whichever comes last', async () => {
    release.firewallTried()
    await clock.advance(86_400_000)
    expect(releases).toBe(0)
    release.forwards()
    await clock.settle()
    expect(releases).toBe(1)
  })

  test('not before the firewall has been tried, though the overlay forwards', async () => {
    release.forwards()
    await clock.advance(4_999)
    expect([releases, release.isForwarding]).toEqual([0, true])
    release.firewallTried()
    await clock.advance(86_400_000)
    expect(releases).toBe(1)
    expect(log.lines).toEqual([])
  })

  test('five seconds after the overlay forwards where the firewall does not answer, which is said', async () => {
    await clock.advance(60_000)
    release.forwards()
    await clock.advance(4_999)
    expect(releases).toBe(0)
    await clock.advance(1)
    expect(releases).toBe(1)
    expect(log.lines).toEqual([
      'warn the firewall does not answer; containers may be started before its rules stand seconds=5',
    ])
    release.firewallTried()
    await clock.advance(86_400_000)
    expect(releases).toBe(1)
  })

  test('never once it has been told to stop', async () => {
    release.forwards()
    stop.abort()
    await running
    expect(releases).toBe(0)
  })
})

describe('an agent with --ip-masq', () => {
  let world: AgentWorld
  beforeEach(async () => {
    world = await AgentWorld.create()
    world.etcd.putConfig(CONFIG)
  })
  afterEach(() => world.close())

  test('writes its subnet file after the rules of the firewall', async () => {
    const answer = world.firewall.holdBack()
    await world.start({ ipMasq: true })
    await world.until('forwarding', () => world.forwards())
    await world.advance(4_000)
    expect([world.firewall.standing, await world.readSubnetFile()]).toEqual([undefined, undefined])
    answer()
    await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
    expect(world.firewall.standing?.masquerade).toBe(true)
  })

  test('writes it at once where the rules cannot be had, and is not ready, though whatever waits for it may start', async () => {
    world.firewall.problems = [new FirewallError('iptables-save', 'MISSING', 'iptables is not installed')]
    await world.start({ ipMasq: true })
    await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
    expect(world.status.state).toMatchObject({ ready: false, startable: true, reasons: [/^firewall: iptables/] })
  })
})
