import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { AgentStatus, DRIFT_TOLERATED_MS } from '../../../../src/agent/runtime/status.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog } from '../../../fake/recording-log.ts'

let clock: FakeClock
let conditions: Conditions
let status: AgentStatus
let changes: number

beforeEach(() => {
  clock = new FakeClock()
  conditions = new Conditions({ clock, log: recordingLog() })
  status = new AgentStatus({ clock, conditions })
  changes = 0
  status.subscribe(() => changes++)
})

const ALL_REACHED = { rows: 0, reasons: new Map<string, string>() }
const IN_STEP = { peers: 41, pending: 0, synced: true, unreachable: ALL_REACHED }

function setUp(): void {
  status.sessionBegan('10.15.64.0/20', [4])
  status.tables(4, IN_STEP)
  conditions.holds('subnet file')
}

describe('whoever stops', () => {
  test('says only what is so', () => {
    expect(status.parting).toBe(' without a lease; what stands in the kernel is left as it is')
    status.sessionBegan('10.15.64.0/20', [4, 6])
    status.tables(4, IN_STEP)
    expect(status.parting).toBe(' before the overlay was complete; what is programmed stays')
    status.tables(6, IN_STEP)
    expect(status.parting).toBe('; what is programmed in the kernel stays, so that forwarding goes on')
    conditions.fails('etcd', 'is out of reach', 'degraded')
    expect(status.parting).toBe('; what is programmed in the kernel stays, so that forwarding goes on')
    conditions.fails('net.ipv4.ip_forward', 'is not on', 'unready')
    expect(status.parting).toBe(' while not ready (net.ipv4.ip_forward: is not on); what is programmed stays')
    conditions.holds('net.ipv4.ip_forward')
    status.sessionEnded('it was taken away')
    expect(status.parting).toBe(' without a lease; what stands in the kernel is left as it is')
  })
})

describe('a node is ready', () => {
  test('not before it has a lease, has programmed its peers and has written its subnet file', () => {
    expect(status.state.reasons).toEqual([
      'lease: there is none yet (for 0 s)',
      'forwarding: is not set up yet (for 0 s)',
      'subnet file: is not written yet (for 0 s)',
    ])
    status.sessionBegan('10.15.64.0/20', [4, 6])
    expect(status.state.reasons).toHaveLength(3)
    status.tables(4, IN_STEP)
    conditions.holds('subnet file')
    expect(status.state.reasons).toEqual(['forwarding of IPv6: is not set up yet (for 0 s)'])
    status.tables(6, { ...IN_STEP, pending: 2 })
    status.tables(4, { ...IN_STEP, pending: 3 })
    expect(status.readiness().body).toMatchObject({ peers: 41, pending: 5 })
    status.tables(4, IN_STEP)
    status.tables(6, IN_STEP)
    expect(status.state).toEqual({ ready: true, startable: true, reasons: [], degraded: [] })
    expect(status.line).toBe('10.15.64.0/20, 41 peers, in step')
  })

  test('also while etcd is out of reach, which it says', async () => {
    setUp()
    conditions.fails('etcd', 'is out of reach', 'degraded')
    conditions.fails('firewall', 'iptables is not installed', 'incomplete')
    expect(status.line).toBe('10.15.64.0/20, 41 peers, etcd: is out of reach; firewall: iptables is not installed')
    conditions.holds('firewall')
    await clock.advance(90_000)
    expect(status.readiness()).toEqual({
      ok: true,
      body: {
        ready: true,
        reasons: [],
        degraded: ['etcd: is out of reach (for 90 s)'],
        subnet: '10.15.64.0/20',
        peers: 41,
        pending: 0,
        unreachable: 0,
        rejected: 0,
        conditions: [{ what: 'etcd', reason: 'is out of reach', effect: 'degraded', forSeconds: 90 }],
      },
    })
  })

  test('also while entries are being put right, but not when they stay wrong', async () => {
    setUp()
    status.tables(4, { ...IN_STEP, pending: 2 })
    await clock.advance(DRIFT_TOLERATED_MS - 1)
    status.tables(4, { ...IN_STEP, pending: 3 })
    expect(status.state).toMatchObject({
      ready: true,
      degraded: [/^tables of IPv4: 3 entries are not as they should be/],
    })
    await clock.advance(1)
    expect(status.state).toMatchObject({ ready: false, reasons: [/3 entries/], degraded: [] })
    status.tables(4, IN_STEP)
    expect(status.state.ready).toBe(true)
  })

  test('also while leases of others are rejected, and peers of either family cannot be reached: both are counted', () => {
    status.sessionBegan('10.15.64.0/20', [4, 6])
    const cut = (...peers: readonly string[]) => ({
      ...IN_STEP,
      pending: peers.length,
      unreachable: { rows: peers.length, reasons: new Map(peers.map((peer) => [peer, 'Nexthop has invalid gateway'])) },
    })
    status.tables(4, cut('a', 'b'))
    status.tables(6, cut('b', 'c'))
    conditions.holds('subnet file')
    changes = 0
    status.rejected(1)
    status.rejected(1)
    expect(changes).toBe(1)
    expect(status.readiness()).toMatchObject({ ok: true, body: { unreachable: 3, rejected: 1 } })
    for (const family of [4, 6] as const) status.tables(family, IN_STEP)
    expect(status.line).toBe('10.15.64.0/20, 41 peers, 1 lease rejected, in step')
    status.sessionEnded('it was taken away')
    expect(status.readiness().body).toMatchObject({ unreachable: 0, rejected: 0 })
  })

  test('also while a peer cannot be reached, which is named; but not when anything else is wrong for long', async () => {
    setUp()
    const unreachable = { rows: 1, reasons: new Map([['10.80.0.0-20', 'Nexthop has invalid gateway']]) }
    status.tables(4, { ...IN_STEP, pending: 1, unreachable })
    await clock.advance(10 * DRIFT_TOLERATED_MS)
    const named = 'peers of IPv4: 1 of 41 cannot be reached: 10.80.0.0-20 (Nexthop has invalid gateway) (for 300 s)'
    expect(status.state).toEqual({ ready: true, startable: true, reasons: [], degraded: [named] })
    status.tables(4, { ...IN_STEP, pending: 2, unreachable })
    await clock.advance(DRIFT_TOLERATED_MS)
    expect(status.state).toMatchObject({
      ready: false,
      reasons: [/^tables of IPv4: 1 entry is not as it should be/],
      degraded: [/10\.80\.0\.0-20/],
    })
    status.tables(4, IN_STEP)
    expect(status.state).toEqual({ ready: true, startable: true, reasons: [], degraded: [] })
  })

  test('not while something is missing that containers were promised, though they can be started', () => {
    setUp()
    conditions.fails('firewall', 'iptables is not installed', 'incomplete')
    expect(status.state).toMatchObject({ ready: false, startable: true, reasons: [/^firewall: /] })
    conditions.fails('net.ipv4.ip_forward', 'is not on', 'unready')
    expect(status.state).toMatchObject({ ready: false, startable: false })
  })

  test('no longer when the lease is lost, and again with another', () => {
    setUp()
    status.sessionEnded('now belongs to host2')
    expect(status.readiness()).toMatchObject({ ok: false, body: { subnet: null, peers: 0 } })
    expect(status.line).toBe('lease: now belongs to host2')
    setUp()
    expect(status.state.ready).toBe(true)
  })
})

describe('whoever follows it', () => {
  test('hears of every change once, and nothing when nothing has changed', () => {
    setUp()
    const before = changes
    setUp()
    status.tables(4, IN_STEP)
    const [again] = [changes]
    status.tables(4, IN_STEP)
    conditions.holds('subnet file')
    expect(changes).toBe(again)
    conditions.fails('etcd', 'is out of reach', 'degraded')
    conditions.fails('etcd', 'is out of reach', 'degraded')
    expect(changes).toBe(again + 1)
    expect(before).toBeGreaterThan(0)
  })
})

describe('liveness', () => {
  const stop = new AbortController()
  let keepingTime: Promise<void>
  beforeEach(() => {
    keepingTime = status.watchdog.run(stop)
  })
  afterAll(async () => {
    stop.abort()
    await keepingTime
  })

  test('is lost while a call hangs, and back when it answers', async () => {
    let answer: (() => void) | undefined
    const hanging = new Promise<void>((resolve) => {
      answer = resolve
    })
    const call = status.watchdog.during('kernel', 60_000, hanging)
    await clock.advance(60_000)
    expect(status.liveness().ok).toBe(true)
    await clock.advance(1_000)
    expect(status.liveness()).toEqual({
      ok: false,
      body: { alive: false, stuck: ['kernel: no answer for 61 s'] },
    })
    answer?.()
    await call
    expect(status.liveness()).toEqual({ ok: true, body: { alive: true, stuck: [] } })
  })

  test('is kept when a call fails, whose error comes through', async () => {
    await expect(status.watchdog.during('etcd', 1, Promise.reject(new Error('no')))).rejects.toThrow('no')
    await clock.advance(10)
    expect(status.liveness().ok).toBe(true)
  })
})
