import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { NO_ROWS, type PeerEntries, type RouteEntry } from '../../../src/reconcile/entries.ts'
import type { KernelOp, RouteState } from '../../../src/kernel/kernel.ts'
import { Reconciler } from '../../../src/reconcile/reconciler.ts'
import { isOwnDirectRoute } from '../../../src/reconcile/ownership.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { FakeKernel } from '../../fake/fake-kernel.ts'
import { entriesOf, rowsOf } from '../../fake/overlay-world.ts'

const CUT = { network: prefix('10.0.0.0/8'), subnetLength: 20 }
let stop: AbortController
let signal: AbortSignal

let kernel: FakeKernel
let clock: FakeClock
let reconciler: Reconciler
let underlay: number
let device: number
/** What the kernel was asked, in order. */
let asked: KernelOp[]

beforeEach(() => {
  stop = new AbortController()
  signal = stop.signal
  kernel = new FakeKernel()
  clock = new FakeClock()
  asked = []
  underlay = kernel.addCard('eth0').index
  kernel.outside({ op: 'address.add', linkIndex: underlay, ip: ip('192.168.0.1'), prefixLength: 24 })
  device = kernel.addCard('flannel.1', { kind: 'vxlan', vxlan: VXLAN }).index
  kernel.faults.refuse = (op) => {
    asked.push(op)
    return undefined
  }
  start()
})

afterEach(() => {
  stop.abort()
})

const VXLAN = {
  vni: 1,
  local: undefined,
  underlayIndex: 0,
  port: 8472,
  learning: false,
  gbp: false,
  ttl: 0,
  udpChecksum: false,
  external: false,
}

function start(): void {
  reconciler = new Reconciler(kernel, [4], clock, () => 0.5)
  reconciler.attachUnderlay(underlay, CUT)
  reconciler.allowPruning()
  const changes = kernel.changes(() => reconciler.watchedLinks, signal)
  const listener = reconciler
  void (async () => {
    for await (const change of changes) listener.observe(change)
  })()
}

/** Peer number `n` reached without a tunnel. */
const direct = (n: number): PeerEntries => {
  const [route] = rowsOf(n, 0).routes
  if (route === undefined) throw new Error('no route')
  return {
    onDevice: NO_ROWS,
    onUnderlay: [{ ...route, gateway: ip(`192.168.0.${n + 2}`), onlink: false }],
  }
}

const routeOf = (n: number): RouteEntry => {
  const [route] = direct(n).onUnderlay
  if (route === undefined) throw new Error('no route')
  return route
}

const names = (): readonly string[] => asked.map((op) => op.op)

const routesTo = (n: number): readonly RouteState[] =>
  [...kernel.tables.routes.values()].filter(({ destination }) => destination.text === routeOf(n).destination.text)

const state = (route: Partial<RouteState>): RouteState => ({
  destination: prefix('10.20.0.0/20'),
  gateway: ip('192.168.0.9'),
  metric: 0,
  protocol: 'boot',
  scope: 'global',
  onlink: false,
  type: 'unicast',
  table: 'main',
  linkIndex: underlay,
  ...route,
})

async function settle(): Promise<void> {
  for (let pass = 0; pass < 4; pass++) {
    await clock.advance(300)
    await reconciler.pass(signal)
  }
}

describe('routes on the underlay', () => {
  it('are written without any device, and read alone', async () => {
    reconciler.setPeer('a', direct(1))
    expect(await reconciler.pass(signal)).toMatchObject({ written: 1, failures: [], tookSnapshot: false })
    expect(routesTo(1)).toMatchObject([
      { linkIndex: underlay, gateway: ip('192.168.0.3'), protocol: '70', onlink: false },
    ])
    expect(names()).toEqual(['route.replace'])
    expect(kernel.stats().snapshots).toBe(0)
  })

  it('are left as they are by the next run', async () => {
    reconciler.setPeer('a', direct(1))
    await settle()
    asked = []
    start()
    reconciler.setPeer('a', direct(1))
    await settle()
    expect(names()).toEqual([])
  })

  it('are not read again when the link is said to be the one that it is', async () => {
    reconciler.setPeer('a', direct(1))
    await settle()
    expect([reconciler.isUnderlayRead, reconciler.nextPassInMs()]).toEqual([true, undefined])
    reconciler.attachUnderlay(underlay, CUT)
    expect([reconciler.isUnderlayRead, reconciler.nextPassInMs()]).toEqual([true, undefined])
  })

  it('come back when somebody deletes or replaces them', async () => {
    reconciler.setPeer('a', direct(1))
    await settle()
    const route = routeOf(1)
    kernel.outside({ op: 'route.delete', type: 'unicast', linkIndex: underlay, ...route })
    await settle()
    expect(routesTo(1)).toHaveLength(1)
    kernel.outside({ op: 'route.replace', type: 'unicast', linkIndex: underlay, ...route, gateway: ip('192.168.0.77') })
    await settle()
    expect(routesTo(1)).toMatchObject([{ gateway: route.gateway }])
  })

  it('come back with the link', async () => {
    reconciler.setPeer('a', direct(1))
    await settle()
    kernel.outside({ op: 'link.set', linkIndex: underlay, up: false })
    await settle()
    expect(routesTo(1)).toEqual([])
    kernel.outside({ op: 'link.set', linkIndex: underlay, up: true })
    await settle()
    expect(routesTo(1)).toHaveLength(1)
  })

  it('that the kernel refuses keep no other from being written', async () => {
    reconciler.setPeer('far', { onDevice: NO_ROWS, onUnderlay: [{ ...routeOf(1), gateway: ip('172.16.0.1') }] })
    reconciler.setPeer('near', direct(2))
    const { failures } = await reconciler.pass(signal)
    expect(failures.map(({ peer, error }) => `${peer ?? ''}: ${error.message}`)).toEqual([
      'far: Nexthop has invalid gateway',
    ])
    expect(routesTo(2)).toHaveLength(1)
  })

  it('that the kernel refuses are written as soon as a network is reached on the link, however long they had to wait', async () => {
    let isRefused = true
    kernel.faults.refuse = () => (isRefused ? 'ENETUNREACH' : undefined)
    reconciler.setPeer('a', direct(1))
    for (let second = 0; second < 120; second++) {
      await clock.advance(1_000)
      await reconciler.pass(signal)
    }
    isRefused = false
    await reconciler.pass(signal)
    expect([routesTo(1), [...reconciler.pendingRows()]]).toMatchObject([
      [],
      [{ peer: 'a', why: { is: 'refused', error: { code: 'ENETUNREACH' } } }],
    ])
    const onLink = {
      destination: prefix('203.0.113.0/24'),
      metric: 0,
      protocol: 'kernel',
      linkIndex: underlay,
    } as const
    const card = kernel.addCard('eth1').index
    for (const change of [
      { ...onLink, destination: prefix('203.0.112.0/24'), gateway: ip('192.168.0.77') },
      { ...onLink, destination: prefix('203.0.111.0/24'), linkIndex: card },
    ])
      kernel.outside({ op: 'route.replace', type: 'unicast', ...change })
    await clock.settle()
    await reconciler.pass(signal)
    expect(routesTo(1), 'behind a gateway, or on another link').toEqual([])
    kernel.outside({ op: 'route.replace', type: 'unicast', ...onLink })
    await clock.settle()
    await reconciler.pass(signal)
    expect([routesTo(1).length, [...reconciler.pendingRows()]]).toEqual([1, []])
  })

  it('that the kernel refuses because of an address of this host are written once that is gone, and no others', async () => {
    kernel.faults.refuse = () => 'EINVAL'
    for (const n of [1, 2]) reconciler.setPeer(`peer ${n}`, direct(n))
    await reconciler.pass(signal)
    const gone = (text: string): boolean =>
      reconciler.observe({
        kind: 'address',
        gone: true,
        address: { linkIndex: 99, ip: ip(text), prefixLength: 24, scope: 'global', flags: [] },
      })
    expect(gone('192.168.0.77')).toBe(false)
    expect(reconciler.nextPassInMs()).toBe(1_000)
    expect(gone('192.168.0.3')).toBe(true)
    expect(reconciler.nextPassInMs()).toBe(0)
    kernel.faults = {}
    await reconciler.pass(signal)
    expect([routesTo(1).length, routesTo(2).length]).toEqual([1, 0])
  })

  it('that stand behind another of the same key have that erased first, and are refused when that does not help', async () => {
    let refusals = 1
    kernel.faults.refuse = (op) => {
      asked.push(op)
      return op.op === 'route.replace' && refusals-- > 0 ? 'EEXIST' : undefined
    }
    reconciler.setPeer('a', direct(1))
    for (let pass = 0; pass < 3; pass++) expect((await reconciler.pass(signal)).failures).toEqual([])
    expect(names()).toEqual(['route.replace', 'route.delete', 'route.replace'])
    expect(routesTo(1)).toHaveLength(1)
    refusals = 9
    reconciler.setPeer('b', direct(2))
    const failures = []
    for (let pass = 0; pass < 3; pass++) failures.push(...(await reconciler.pass(signal)).failures)
    expect(failures.map(({ peer, error }) => [peer, error.code])).toEqual([['b', 'EEXIST']])
  })

  it("of nobody's peers go when they are ours or upstream's, others stay", async () => {
    const foreign = [
      state({ destination: prefix('10.30.0.0/20'), protocol: 'static' }),
      state({ destination: prefix('10.40.0.0/24') }),
      state({ destination: prefix('172.16.0.0/20') }),
      state({ destination: prefix('10.50.0.0/20'), metric: 50 }),
      state({ destination: prefix('0.0.0.0/0'), gateway: ip('192.168.0.254') }),
    ]
    const ours = [state({}), state({ destination: prefix('10.60.0.0/20'), protocol: '70', metric: 7 })]
    for (const route of [...foreign, ...ours]) kernel.tables.addRoute(route)
    await settle()
    const left = [...kernel.tables.routes.values()].map(({ destination }) => destination.text)
    expect(left.sort()).toEqual([...foreign.map(({ destination }) => destination.text), '192.168.0.0/24'].sort())
  })

  it("of upstream's go after ours stand", async () => {
    const { destination, gateway } = routeOf(1)
    kernel.tables.addRoute(state({ destination, gateway }))
    reconciler.setPeer('a', direct(1))
    await settle()
    expect(names()).toEqual(['route.replace', 'route.delete'])
    expect(routesTo(1)).toMatchObject([{ protocol: '70' }])
  })
})

describe('what an earlier run has left on the link that a peer is not to be reached over any more', () => {
  it('stays on the underlay until there is the device, and the new route', async () => {
    reconciler.setPeer('a', direct(1))
    await settle()
    start()
    reconciler.setPeer('a', entriesOf(1, 0))
    await settle()
    expect(routesTo(1)).toMatchObject([{ linkIndex: underlay }])
    expect(reconciler.nextPassInMs()).toBeUndefined()
    asked = []
    reconciler.attach(device)
    await settle()
    expect(routesTo(1)).toMatchObject([{ linkIndex: device }])
    expect(names().slice(0, 3)).toEqual(['neighbour.replace', 'fdb.replace', 'route.replace'])
  })
})

describe('a peer that moves between tunnel and underlay', () => {
  beforeEach(() => {
    reconciler.attach(device)
  })

  it('has its new route before the old entries go, both ways', async () => {
    reconciler.setPeer('a', entriesOf(1, 0))
    await settle()
    asked = []
    reconciler.setPeer('a', direct(1))
    await settle()
    expect(routesTo(1)).toMatchObject([{ linkIndex: underlay }])
    expect(names()).toEqual(['route.replace', 'fdb.delete', 'neighbour.delete'])
    asked = []
    reconciler.setPeer('a', entriesOf(1, 0))
    await settle()
    expect(routesTo(1)).toMatchObject([{ linkIndex: device }])
    expect(names()).toEqual(['neighbour.replace', 'fdb.replace', 'route.replace'])
    expect(reconciler.pending).toBe(0)
  })

  it('keeps the tunnel as long as the kernel refuses the route', async () => {
    reconciler.setPeer('a', entriesOf(1, 0))
    await settle()
    reconciler.setPeer('a', { onDevice: NO_ROWS, onUnderlay: [{ ...routeOf(1), gateway: ip('172.16.0.1') }] })
    await settle()
    expect(routesTo(1)).toMatchObject([{ linkIndex: device }])
    expect(kernel.tables.fdb.size).toBe(1)
    kernel.outside({ op: 'address.add', linkIndex: underlay, ip: ip('172.16.0.9'), prefixLength: 24 })
    await clock.advance(120_000)
    await settle()
    expect(routesTo(1)).toMatchObject([{ linkIndex: underlay }])
    expect(kernel.tables.fdb.size).toBe(0)
  })

  it('and back before anything was written has nothing written', async () => {
    reconciler.setPeer('a', entriesOf(1, 0))
    await settle()
    asked = []
    reconciler.setPeer('a', direct(1))
    reconciler.setPeer('a', entriesOf(1, 0))
    await settle()
    expect(names()).toEqual([])
    expect(reconciler.pending).toBe(0)
  })

  it('is gone from both when its lease is', async () => {
    reconciler.setPeer('a', entriesOf(1, 0))
    await settle()
    reconciler.setPeer('a', direct(1))
    reconciler.setPeer('a', undefined)
    await settle()
    expect(routesTo(1)).toEqual([])
    expect(kernel.tables.fdb.size + kernel.tables.neighbours.size).toBe(0)
  })

  it('and back, while nothing may be erased, has its tunnel again', async () => {
    reconciler = new Reconciler(kernel, [4], clock, () => 0.5)
    reconciler.attachUnderlay(underlay, CUT)
    reconciler.attach(device)
    for (const entries of [entriesOf(1, 0), direct(1), entriesOf(1, 0)]) {
      reconciler.setPeer('a', entries)
      await settle()
    }
    expect(routesTo(1)).toMatchObject([{ linkIndex: device }])
  })
})

describe("upstream's shape on the underlay", () => {
  const shape: RouteEntry = {
    destination: prefix('fd00:10:0:5::/64'),
    gateway: ip('2001:db8::9'),
    metric: 1024,
    protocol: 'boot',
    onlink: false,
  }
  const cut = { network: prefix('fd00:10::/48'), subnetLength: 64 }

  it('is known for IPv6', () => {
    expect(isOwnDirectRoute(shape, cut)).toBe(true)
  })

  it.each<[string, Partial<RouteEntry>]>([
    ['another metric', { metric: 0 }],
    ['another protocol', { protocol: 'kernel' }],
    ['a gateway inside the overlay', { gateway: ip('fd00:10::9') }],
    ['no gateway', { gateway: undefined }],
    ['another length', { destination: prefix('fd00:10:0:5::/65') }],
    ['a destination outside', { destination: prefix('fd00:11:0:5::/64') }],
    ['onlink', { onlink: true }],
  ])('is not with %s', (_, change) => {
    expect(isOwnDirectRoute({ ...shape, ...change }, cut)).toBe(false)
  })
})
