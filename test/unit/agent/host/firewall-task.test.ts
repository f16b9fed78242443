import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AgentCounts } from '../../../../src/counts/agent-counts.ts'
import { FirewallTask } from '../../../../src/agent/host/firewall-task.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { FirewallError, type FirewallSpec, type OnTried } from '../../../../src/kernel/firewall.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { runtime } from '../../../fake/runtime.ts'
import { FakeFirewall } from '../../../fake/fake-firewall.ts'
import { SPEC } from '../../firewall/samples.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

const MISSING = new FirewallError('iptables-save', 'MISSING', 'iptables-save is not installed')

let clock: FakeClock
let firewall: FakeFirewall
let log: RecordingLog
let stop: AbortController
let running: Promise<void>
let task: FirewallTask
let conditions: Conditions
let looks: number

async function start(spec = SPEC): Promise<void> {
  const ports = { firewall, clock, log, conditions, counts: new AgentCounts(), random: () => 0.5 }
  task = new FirewallTask({ ports, spec, resyncMs: 5_000, onLooked: () => looks++ })
  running = runTask(task, runtime(clock, stop.signal))
  await clock.settle()
}

beforeEach(() => {
  clock = new FakeClock()
  firewall = new FakeFirewall()
  log = recordingLog()
  stop = new AbortController()
  conditions = new Conditions({ clock, log })
  looks = 0
})

/** What is reported of the firewall; undefined when all is well. */
const state = (): unknown => conditions.all()[0]

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

describe('the rules of the firewall', () => {
  test('are written at once, and looked at every five seconds', async () => {
    await start()
    expect(firewall.standing).toEqual(SPEC)
    await clock.advance(20_000)
    expect([firewall.looks, firewall.writes]).toEqual([5, 1])
    expect(log.lines).toEqual(['info firewall rules written rules=rules in iptables'])
    expect([looks, state()]).toEqual([5, undefined])
  })

  test('are waited for at the start, and not what an earlier run has left', async () => {
    const sync = firewall.sync.bind(firewall)
    const tidied: number[] = []
    firewall.sync = async (spec: FirewallSpec, signal: AbortSignal, onTried?: OnTried) => {
      const report = await sync(spec, signal)
      await onTried?.(report)
      tidied.push(clock.monotonicMs())
      return report
    }
    const startMs = clock.monotonicMs()
    await start()
    expect([looks, tidied]).toEqual([1, []])
    expect(log.lines).toEqual(['info firewall rules written rules=rules in iptables'])
    await clock.advance(10_000)
    expect(tidied.map((ms) => ms - startMs)).toEqual([500, 5_500])
    expect(log.lines).toHaveLength(1)
  })

  test('are restored when somebody removes them, and that is said', async () => {
    await start()
    firewall.standing = undefined
    await clock.advance(5_000)
    expect(firewall.standing).toEqual(SPEC)
    expect(log.lines.at(-1)).toMatch(/^warn firewall rules were changed from outside; restored/)
  })

  test("of an earlier run are removed, which is nobody's doing", async () => {
    await start()
    const sync = firewall.sync.bind(firewall)
    firewall.sync = async (spec, signal) => ({
      ...(await sync(spec, signal)),
      leftovers: ['iptables-legacy FLANNEL-FWD'],
    })
    await clock.advance(5_000)
    expect(log.lines.at(-1)).toBe('info firewall rules of an earlier run removed rules=iptables-legacy FLANNEL-FWD')
    expect(state()).toBeUndefined()
  })

  test('are restored ever more slowly while somebody keeps removing them', async () => {
    await start()
    for (let second = 0; second < 600; second++) {
      firewall.standing = undefined
      await clock.advance(1_000)
    }
    expect(firewall.writes).toBeLessThan(25)
    expect(log.lines.some((line) => line.includes('ever more slowly'))).toBe(true)
    expect(state()).toMatchObject({ reason: expect.stringContaining('keep being changed') as unknown })
    await clock.advance(120_000)
    expect(state()).toBeUndefined()
  })

  test('change their kind at once when told to', async () => {
    await start()
    task.set({ ...SPEC, kind: 'nftables' })
    await clock.settle()
    expect(firewall.standing?.kind).toBe('nftables')
    expect(log.lines.filter((line) => line.startsWith('warn'))).toEqual([])
  })

  test('that are none are looked at once', async () => {
    await start({ ...SPEC, masquerade: false, forward: false })
    await clock.advance(3_600_000)
    expect(firewall.looks).toBe(1)
    expect(state()).toBeUndefined()
  })

  test('that are none, and could not all be removed, are tried again every minute until they are gone', async () => {
    firewall.leftovers = [new FirewallError('iptables', 'HELD', 'FLANNEL-FWD can be emptied but not removed')]
    await start({ ...SPEC, masquerade: false, forward: false })
    await clock.advance(59_000)
    expect(firewall.looks).toBe(1)
    await clock.advance(241_000)
    expect(firewall.looks).toBe(6)
    expect(state()).toMatchObject({ effect: 'none' })
    firewall.leftovers = []
    await clock.advance(60_000)
    expect(state()).toBeUndefined()
    await clock.advance(3_600_000)
    expect(firewall.looks).toBe(7)
  })
})

test('an iptables without --random-fully is one warning, and all is well', async () => {
  firewall.lacksRandomFully = 'v1.4.21'
  await start()
  await clock.advance(60_000)
  expect(log.lines.filter((line) => line.includes('--random-fully'))).toEqual([
    'warn firewall: this iptables knows no --random-fully, which 1.6.2 does: ports of masqueraded connections are not chosen at random version=v1.4.21',
  ])
  expect(state()).toBeUndefined()
})

test('an accept that stands behind a drop degrades, and says so', async () => {
  firewall.leftovers = [new FirewallError('iptables', 'BLOCKED', 'it may drop')]
  await start()
  expect(state()).toMatchObject({ what: 'firewall', reason: 'it may drop', effect: 'degraded' })
  firewall.leftovers = []
  await clock.advance(5_000)
  expect(state()).toBeUndefined()
})

describe('a firewall that cannot be written', () => {
  test('is complained about once, keeps a node that masquerades from being ready, and heals', async () => {
    firewall.problems = [MISSING]
    await start()
    await clock.advance(600_000)
    expect(log.lines).toEqual([expect.stringMatching(/^error firewall: iptables-save is not installed; trying again/)])
    expect(state()).toMatchObject({ reason: 'iptables-save is not installed', effect: 'incomplete' })
    firewall.problems = []
    await clock.advance(5_000)
    expect(state()).toBeUndefined()
    expect(log.lines.at(-1)).toBe('info firewall: works now')
  })

  test('keeps nobody from being ready who only wants to forward', async () => {
    firewall.problems = [MISSING]
    await start({ ...SPEC, masquerade: false })
    expect(state()).toMatchObject({ effect: 'degraded' })
    expect(log.lines[0]).toMatch(/^warn /)
  })
})
