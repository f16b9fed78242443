import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PeerFilterLog } from '../../../src/agent/peer-filter/peer-filter-log.ts'
import { RunningTime } from '../../../src/agent/runtime/running-time.ts'
import { AgentCounts } from '../../../src/counts/agent-counts.ts'
import { EndpointStates } from '../../../src/etcd/client/endpoints.ts'
import { StoreError, type StoreErrorCode } from '../../../src/lease/store.ts'
import { AgentWorld, CONFIG, upstreamLease } from '../../fake/agent-world.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { recordingLog } from '../../fake/recording-log.ts'

describe('an agent counts', () => {
  let world: AgentWorld

  beforeEach(async () => {
    world = await AgentWorld.create()
    world.etcd.putConfig(CONFIG)
    world.etcd.put('10.1.0.0-20', upstreamLease(20))
    await world.start()
    await world.until('forwarding', () => world.forwards())
  })

  afterEach(() => world.close())

  const of4 = (): ReturnType<AgentCounts['of']> => world.counts.of(4)

  it('its passes, and rows that others change, each in its table; not those that go with the device', async () => {
    expect(of4().restored).toEqual({ neighbour: 0, fdb: 0, route: 0 })
    const passes = of4().passes.read().count
    expect(passes).toBeGreaterThan(0)
    expect(of4().lastPassMs).toBeGreaterThanOrEqual(0)
    const linkIndex = world.kernel.indexOf('flannel.100') ?? 0
    for (const [key, route] of world.kernel.tables.routes)
      if (route.linkIndex === linkIndex) world.kernel.tables.routes.delete(key)
    await world.advance(120_000)
    expect(world.rows().routes).toBe(1)
    expect(of4().restored).toEqual({ neighbour: 0, fdb: 0, route: 1 })
    world.kernel.outside({ op: 'link.delete', linkIndex })
    await world.advance(5_000)
    expect(world.rows()).toEqual({ neighbours: 1, fdb: 1, routes: 1 })
    expect(of4().restored).toEqual({ neighbour: 0, fdb: 0, route: 1 })
    expect(of4().passes.read().count).toBeGreaterThan(passes)
  })

  it('on when its lease is lost and a session begins anew', async () => {
    const passes = of4().passes.read().count
    const [own] = world.etcd.records.map(({ key }) => key).filter((key) => key !== '10.1.0.0-20')
    world.etcd.put(own ?? '', upstreamLease(30))
    await world.advance(10_000)
    await world.until(
      'another lease',
      () => world.subnet !== undefined && !own?.startsWith(world.subnet.split('/')[0] ?? ''),
    )
    expect(of4().passes.read().count).toBeGreaterThan(passes)
  })

  it('how often the firewall was put right after others', async () => {
    expect(world.counts.firewallRepairs).toBe(0)
    world.firewall.standing = undefined
    await world.advance(5_000)
    expect(world.counts.firewallRepairs).toBe(1)
  })
})

it('a process that is late for its timer says by how much', async () => {
  const clock = new FakeClock()
  const late: number[] = []
  const stop = new AbortController()
  const running = new RunningTime(clock, (ms) => late.push(ms)).run(stop.signal)
  await clock.advance(10_000)
  stop.abort()
  await running
  expect(late).toEqual([0, 0])
})

it('packets that the peer filter drops are counted on, whichever session looks', () => {
  const counts = new AgentCounts()
  const reporter = (): PeerFilterLog =>
    new PeerFilterLog({ log: recordingLog(), clock: new FakeClock(), overlay: { vni: 100, port: 8472 }, counts })
  const first = reporter()
  first.drops({ packets: 5, forged: 1 }) // of an earlier run
  first.drops({ packets: 8, forged: 1 })
  const second = reporter()
  second.drops({ packets: 9, forged: 2 })
  second.drops({ packets: 10, forged: 4 })
  expect(counts.filterDrops).toEqual({ strangers: 4, forged: 2 })
})

describe('addresses of etcd', () => {
  const failure = (code: StoreErrorCode): StoreError =>
    new StoreError({ op: 'list', code, retryable: true, message: code })

  it('are up and away as the requests that are made anyway tell, and all are counted', () => {
    const { store } = new AgentCounts()
    const states = new EndpointStates(['http://a:2379', 'http://b:2379'], store)
    states.failed('http://a:2379', failure('UNAVAILABLE'), true, 7)
    states.answered('http://b:2379', 4)
    states.failed('http://b:2379', failure('PERMISSION_DENIED'), false, 9)
    expect(states.all).toEqual([
      { url: 'http://a:2379', isUp: false, latencyMs: undefined, lastError: { message: 'UNAVAILABLE', atMs: 7 } },
      { url: 'http://b:2379', isUp: true, latencyMs: 4, lastError: { message: 'PERMISSION_DENIED', atMs: 9 } },
    ])
    expect(store.requests.read()).toMatchObject({ count: 1, sum: 0.004 })
    expect(Object.fromEntries(store.failures)).toEqual({ UNAVAILABLE: 1, PERMISSION_DENIED: 1 })
  })
})
