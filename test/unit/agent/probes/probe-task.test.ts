import { afterEach, describe, expect, it } from 'vitest'
import { ProbeTask, type ProbeTaskInput } from '../../../../src/agent/probes/probe-task.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import type { EntriesByFamily } from '../../../../src/backend/judge.ts'
import type { Underlay } from '../../../../src/kernel/underlay.ts'
import { ip, type Family } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { PeerReaches } from '../../../../src/probe/peer-reaches.ts'
import { NO_ENTRIES } from '../../../../src/reconcile/entries.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { FakeIcmp } from '../../../fake/fake-icmp.ts'
import { recordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

const NETWORKS = { 4: ['10.0.0.0/8', '10.1.0.0/24'], 6: ['fd00:10::/48', 'fd00:10:0:1::/64'] } as const
const OWN = { 4: '192.168.0.100', 6: 'fd00::100' } as const

type RoutesOn = ProbeTaskInput['own'][number]['routesOn']

/** A task among peers, on a clock that is moved by hand. */
class TaskWorld {
  readonly clock = new FakeClock()
  readonly icmp = new FakeIcmp(this.clock)
  readonly log = recordingLog()
  readonly conditions = new Conditions({ clock: this.clock, log: this.log })
  readonly reaches = new PeerReaches(this.clock)
  readonly task: ProbeTask
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  constructor(families: readonly Family[] = [4], routesOn: RoutesOn = 'device', why?: string) {
    this.icmp.why = why
    this.task = new ProbeTask({
      ports: {
        ...{ clock: this.clock, random: () => 0.5, conditions: this.conditions, reaches: this.reaches },
        entropy: (octets) => new Uint8Array(octets),
        openProbe: (family) => this.icmp.open(family),
      },
      own: families.map((family) => ({
        overlay: { family, network: prefix(NETWORKS[family][0]), subnetLength: 24 } as never,
        subnet: prefix(NETWORKS[family][1]),
        routesOn,
        deviceName: () => (routesOn === 'device' ? `flannel${family === 4 ? '' : '-v6'}.100` : undefined),
      })),
      underlay: (family) => ({ address: ip(OWN[family]) }) as Underlay,
    })
    for (const family of families) this.task.setMtu(family, 1450)
    this.#running = runTask(this.task, runtime(this.clock, this.#stop.signal))
  }

  join(n: number, families: readonly Family[] = [4]): void {
    this.task.setPeer(keyOf(n), entriesOf(n, families))
    this.task.wake()
  }

  cut(n: number): void {
    this.icmp.set(`10.1.${n}.0`, { isCut: true })
  }

  condition(what: string): string | undefined {
    const found = this.conditions.all().find((one) => one.what === what)
    return found && `${found.effect}: ${found.reason}`
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}

const keyOf = (n: number): string => `10.1.${n}.0-24`
const entriesOf = (n: number, families: readonly Family[]): EntriesByFamily =>
  new Map(
    families.map((family) => [
      family,
      {
        ...NO_ENTRIES,
        subnet: prefix(family === 4 ? `10.1.${n}.0/24` : `fd00:10:0:${n}00::/64`),
        publicIp: ip(family === 4 ? `192.168.0.${n}` : `fd00::${n}`),
        node: `node-${n}`,
      },
    ]),
  )

let world: TaskWorld
const begin = (...args: ConstructorParameters<typeof TaskWorld>): TaskWorld => (world = new TaskWorld(...args))

afterEach(() => world.close())

const ANSWERS = 'answers of peers over IPv4'

describe('the probes of a session', () => {
  it('ask each peer at the base of its subnet, from our own, and tell nothing when all answer', async () => {
    begin()
    for (const n of [2, 3]) world.join(n)
    await world.clock.advance(20_000)
    expect(new Set(world.icmp.asked.map(({ to, from }) => `${from} ${to}`))).toEqual(
      new Set(['10.1.0.0 10.1.2.0', '10.1.0.0 10.1.3.0']),
    )
    expect(world.conditions.all()).toEqual([])
    expect(world.reaches.counts()).toMatchObject({ reachable: 2 })
    expect([world.reaches.isOn, world.reaches.why]).toEqual([true, null])
  })

  it('ask in both families, each from its own address', async () => {
    begin([4, 6])
    world.join(2, [4, 6])
    await world.clock.advance(5_000)
    expect(new Set(world.icmp.asked.map(({ to, from }) => `${from} ${to}`))).toEqual(
      new Set(['10.1.0.0 10.1.2.0', 'fd00:10:0:1:: fd00:10:0:200::']),
    )
    expect(world.reaches.counts()).toMatchObject({ reachable: 2 })
    world.task.setPeer(keyOf(2), entriesOf(2, [4]))
    expect(world.reaches.counts()).toMatchObject({ reachable: 1 })
  })

  it('without a device ask the PublicIP, from our address on the underlay', async () => {
    begin([4], 'underlay')
    world.join(2)
    await world.clock.advance(5_000)
    expect(world.icmp.asked).toMatchObject([{ to: '192.168.0.2', from: OWN[4] }])
  })

  it('ask nobody where peers are somebody else’s business', async () => {
    begin([4], 'nowhere')
    world.join(2)
    await world.clock.advance(60_000)
    expect([world.icmp.asked, world.icmp.opened, world.reaches.isOn]).toEqual([[], 0, false])
    expect(world.reaches.why).toMatch(/not the business of this backend/)
  })

  it('name those that do not answer, and tell when they do', async () => {
    begin()
    for (const n of [2, 3, 4, 5, 6, 7]) world.join(n)
    await world.clock.advance(20_000)
    world.cut(3)
    await world.clock.advance(25_000)
    expect(world.condition(ANSWERS)).toBe('degraded: 1 of 6 peers does not answer: node-3 (10.1.3.0/24)')
    for (const n of [2, 4, 5]) world.cut(n)
    await world.clock.advance(30_000)
    expect(world.condition(ANSWERS)).toBe(
      'degraded: 4 of 6 peers do not answer: node-2 (10.1.2.0/24), node-3 (10.1.3.0/24), node-4 (10.1.4.0/24), 1 more',
    )
    for (const n of [2, 3, 4, 5]) world.icmp.set(`10.1.${n}.0`, {})
    await world.clock.advance(20_000)
    expect(world.condition(ANSWERS)).toBeUndefined()
    expect(world.log.lines.at(-1)).toBe('info all peers answer over IPv4 again')
  })

  it('say one thing where nobody answers', async () => {
    begin()
    for (const n of [2, 3, 4]) world.join(n)
    await world.clock.advance(20_000)
    for (const n of [2, 3, 4]) world.cut(n)
    await world.clock.advance(40_000)
    expect(world.condition(ANSWERS)).toMatch(
      /^degraded: no peer answers any more, of 3: the fault is likely on this side/,
    )
    expect(world.conditions.all()).toHaveLength(1)
  })

  it('of whom has never answered degrade the node for a quarter of an hour alone', async () => {
    begin()
    world.cut(3)
    for (const n of [2, 3]) world.join(n)
    await world.clock.advance(60_000)
    expect(world.condition(ANSWERS)).toBe('degraded: 1 of 2 peers does not answer: node-3 (10.1.3.0/24)')
    await world.clock.advance(900_000)
    expect(world.condition(ANSWERS)).toBe('none: 1 of 2 peers does not answer, and never did: node-3 (10.1.3.0/24)')
    expect(world.reaches.counts()).toMatchObject({ unreachable: 1 })
    world.cut(2)
    await world.clock.advance(60_000)
    expect(world.condition(ANSWERS)).toMatch(/^degraded: /)
  })

  it('tell of loss and of size, with their numbers', async () => {
    begin()
    world.icmp.set('10.1.2.0', { passes: 1350 })
    world.icmp.set('10.1.3.0', { loses: (count) => count % 3 === 0 })
    for (const n of [2, 3, 4]) world.join(n)
    await world.clock.advance(120_000)
    expect(world.condition('packet size to peers over IPv4')).toBe(
      'degraded: node-2 (10.1.2.0/24) takes 1350 of 1450 octets',
    )
    expect(world.condition('losses to peers over IPv4')).toMatch(/^degraded: node-3 \(10\.1\.3\.0\/24\) \d\d %$/)
    for (const n of [2, 3]) world.icmp.set(`10.1.${n}.0`, {})
    await world.clock.advance(120_000)
    expect(world.conditions.all()).toEqual([])
  })

  it.each([
    'underlay',
    'IPv4 underlay link',
    'IPv4 underlay address',
    'device flannel.100',
    'forwarding of IPv4',
  ] as const)('rest while %s fails, and judge nobody by that time', async (what) => {
    begin()
    for (const n of [2, 3]) world.join(n)
    await world.clock.advance(20_000)
    world.cut(3)
    await world.clock.advance(30_000)
    expect(world.condition(ANSWERS)).toBeDefined()
    world.conditions.fails(what, 'is away', 'unready')
    await world.clock.settle()
    const asked = world.icmp.asked.length
    await world.clock.advance(300_000)
    expect(world.icmp.asked.length).toBe(asked)
    expect(world.condition(ANSWERS)).toBeUndefined()
    expect(world.reaches.counts()).toMatchObject({ unknown: 2 })
    expect(world.reaches.why).toBe(`${what}: is away`)
    world.icmp.set('10.1.3.0', {})
    world.conditions.holds(what)
    await world.clock.advance(15_000)
    expect(world.reaches.counts()).toMatchObject({ reachable: 2 })
    expect(world.condition(ANSWERS)).toBeUndefined()
  })

  it('go on in one family while the other rests', async () => {
    begin([4, 6])
    world.join(2, [4, 6])
    world.conditions.fails('IPv6 underlay link', 'eth0 is down', 'unready')
    await world.clock.advance(20_000)
    expect(world.reaches.counts()).toMatchObject({ reachable: 1, unknown: 1 })
    expect([world.reaches.isOn, world.reaches.why]).toEqual([true, 'IPv6 underlay link: eth0 is down'])
  })

  it('say what is missing where no socket can be had, and try again', async () => {
    begin([4], 'device', 'no ICMP socket can be had')
    world.join(2)
    await world.clock.advance(10_000)
    expect(world.condition('probes over IPv4')).toBe('none: no ICMP socket can be had')
    expect(world.reaches.isOn).toBe(false)
    world.conditions.fails('IPv4 underlay link', 'is down', 'unready') // meanwhile nothing is tried, nor waited for
    await world.clock.advance(300_000)
    world.icmp.why = undefined
    world.conditions.holds('IPv4 underlay link')
    await world.clock.advance(70_000)
    expect(world.condition('probes over IPv4')).toBeUndefined()
    expect(world.reaches.counts()).toMatchObject({ reachable: 1 })
  })

  it('answer whoever asks now, also when that ends with the session, and leave no socket', async () => {
    begin()
    world.join(2)
    await world.clock.advance(5_000)
    const changes: string[] = []
    world.reaches.subscribe((all) => changes.push(...all.map(({ after }) => after.reach)))
    const asked = world.icmp.asked.length
    const settled = world.reaches.askNow([keyOf(2)], new AbortController().signal)
    await world.clock.advance(300)
    await settled
    expect(world.icmp.asked.length).toBe(asked + 1)
    world.cut(2)
    const cut = world.reaches.askNow([keyOf(2)], new AbortController().signal)
    await world.clock.advance(100)
    await world.close()
    await cut
    expect([world.icmp.opened, world.reaches.isOn, world.clock.sleeping]).toEqual([0, false, 0])
    expect(world.reaches.reach(keyOf(2), 4)).toMatchObject({ reach: 'unknown' })
    expect(changes).toEqual([])
  })
})
