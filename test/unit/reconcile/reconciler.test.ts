import { afterEach, describe, expect, test } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { KernelChange, KernelOp } from '../../../src/kernel/kernel.ts'
import { ROUTE_PROTOCOL } from '../../../src/kernel/marks.ts'
import { NO_ROWS } from '../../../src/reconcile/entries.ts'
import { Reconciler } from '../../../src/reconcile/reconciler.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { first, onDevice, OverlayWorld, rowsOf } from '../../fake/overlay-world.ts'

let world: OverlayWorld

afterEach(() => {
  world.close()
})

/** A world with peers 0 to `peers` - 1 programmed. */
async function worldWith(peers: number): Promise<OverlayWorld> {
  world = await OverlayWorld.create(true)
  for (let index = 0; index < peers; index++) world.setPeer(index, 0)
  await world.pass()
  return world
}

/** Names of the operations that `act` causes, in order. */
async function operationsDuring(act: () => Promise<unknown>): Promise<readonly string[]> {
  const seen: KernelOp[] = []
  world.kernel.faults.refuse = (op) => {
    seen.push(op)
    return undefined
  }
  await act()
  world.kernel.faults = {}
  return seen.map(({ op }) => op)
}

describe('order', () => {
  test('writes a new peer as neighbour, fdb, route', async () => {
    await worldWith(0)
    world.setPeer(0, 0)
    expect(await operationsDuring(() => world.pass())).toEqual(['neighbour.replace', 'fdb.replace', 'route.replace'])
  })

  test('interleaves the tables peer by peer', async () => {
    await worldWith(0)
    world.setPeer(0, 0)
    world.setPeer(1, 0)
    const perPeer = ['neighbour.replace', 'fdb.replace', 'route.replace']
    expect(await operationsDuring(() => world.pass())).toEqual([...perPeer, ...perPeer])
  })

  test('takes a lost peer down as route, fdb, neighbour', async () => {
    await worldWith(1)
    world.dropPeer(0)
    expect(await operationsDuring(() => world.pass())).toEqual(['route.delete', 'fdb.delete', 'neighbour.delete'])
  })

  test('follows a new MAC by writing the new entries before erasing the old fdb entry', async () => {
    await worldWith(1)
    world.setPeer(0, 1)
    expect(await operationsDuring(() => world.pass())).toEqual(['neighbour.replace', 'fdb.replace', 'fdb.delete'])
  })

  test('follows a new PublicIP by replacing the fdb entry alone', async () => {
    await worldWith(1)
    const rows = rowsOf(0, 0)
    const fdb = [{ ...first(rows.fdb), remote: ip('192.168.77.7') }]
    world.reconciler.setPeer('0', onDevice({ ...rows, fdb }))
    expect(await operationsDuring(() => world.pass())).toEqual(['fdb.replace'])
    expect(world.actual()).toContain(`fdb ${first(rows.fdb).mac} 192.168.77.7`)
  })
})

const signal = new AbortController().signal

describe('reading', () => {
  test('is what a first pass does, and no later one without need', async () => {
    world = await OverlayWorld.create(true)
    const newcomer = new Reconciler(world.kernel, [4], new FakeClock(), () => 0.5)
    newcomer.attach(world.linkIndex)
    expect(newcomer.remotes()).toBeUndefined()
    expect(await newcomer.pass(signal)).toMatchObject({ tookSnapshot: true, linkIndex: world.linkIndex })
    expect(newcomer.remotes()).toEqual(new Set())
    expect(await newcomer.pass(signal)).toMatchObject({ tookSnapshot: false, linkIndex: world.linkIndex })
  })

  test('that fails is said, changes nothing, and is tried again at the next pass that may', async () => {
    await worldWith(1)
    const { kernel, reconciler } = world
    kernel.faults.loseNotifications = true
    kernel.outside({ op: 'neighbour.delete', linkIndex: world.linkIndex, ip: first(rowsOf(0, 0).neighbours).ip })
    kernel.heal()
    await new Promise(setImmediate)
    kernel.faults.interruptSnapshots = 1
    world.advance(1_000)
    await expect(reconciler.pass(signal)).rejects.toThrow(expect.objectContaining({ name: 'KernelError' }) as Error)
    expect([reconciler.remotes(), reconciler.nextPassInMs()]).toEqual([undefined, 250])
    expect(await reconciler.pass(signal)).toMatchObject({ written: 0, tookSnapshot: false })
    world.advance(250)
    expect(reconciler.nextPassInMs()).toBe(0)
    expect(await reconciler.pass(signal)).toMatchObject({ written: 1, tookSnapshot: true })
    expect(world.actual()).toEqual(world.expected())
  })
})

describe('what somebody has changed and no report has told', () => {
  test('is drift when it is found by reading, told with one of the rows, and put right', async () => {
    await worldWith(2)
    world.kernel.faults.loseNotifications = true
    const { mac: address } = first(rowsOf(1, 0).fdb)
    world.kernel.outside({ op: 'fdb.delete', linkIndex: world.linkIndex, mac: address })
    await new Promise(setImmediate)
    world.kernel.faults = {}
    world.advance(1_000)
    world.reconciler.invalidate()
    const report = await world.reconciler.pass(signal)
    expect(report).toMatchObject({ tookSnapshot: true, undone: 1, undoneExample: `fdb ${address}`, written: 1 })
    expect(world.actual()).toEqual(world.expected())
  })
})

describe('reports of what is no link’s own', () => {
  test.each<KernelChange>([
    { kind: 'other-routes' },
    { kind: 'foreign-route', destination: prefix('10.9.0.0/16') },
    { kind: 'rules', family: 4 },
  ])('concern nobody who has no link yet: $kind', async (change) => {
    await worldWith(0)
    const idle = new Reconciler(world.kernel, [4], new FakeClock(), () => 0.5)
    idle.setPeer('0', onDevice(rowsOf(0, 0)))
    expect(idle.observe(change)).toBe(false)
  })
})

describe('restart', () => {
  test('over unchanged tables writes nothing', async () => {
    await worldWith(3)
    await world.restart()
    expect(await operationsDuring(() => world.pass())).toEqual([])
  })

  test('erases what peers left behind while nobody watched', async () => {
    await worldWith(3)
    world.peers.delete('1')
    await world.restart()
    await world.pass()
    expect(world.actual()).toEqual(world.expected())
  })

  test('erases nothing before a complete list has been seen', async () => {
    await worldWith(3)
    const before = world.actual()
    const newcomer = new Reconciler(world.kernel, [4], new FakeClock(), () => 0.5)
    newcomer.attach(world.linkIndex)
    await newcomer.pass(new AbortController().signal)
    expect(world.actual()).toEqual(before)
    newcomer.allowPruning()
    await newcomer.pass(new AbortController().signal)
    expect(world.actual()).toEqual([])
  })
})

describe('drift', () => {
  test('restores an entry that somebody deletes while we write it, although our write was acknowledged', async () => {
    await worldWith(0)
    world.setPeer(0, 0)
    world.kernel.meanwhile = () => {
      world.outside({ op: 'neighbour.delete', linkIndex: world.linkIndex, ip: first(rowsOf(0, 0).neighbours).ip })
    }
    await world.pass()
    expect(world.reconciler.pending).toBe(1)
    await world.pass()
    expect(world.actual()).toEqual(world.expected())
  })

  test('restores an fdb entry that somebody points elsewhere', async () => {
    await worldWith(1)
    const { mac } = first(rowsOf(0, 0).fdb)
    world.outside({ op: 'fdb.replace', linkIndex: world.linkIndex, mac, remote: ip('203.0.113.9') })
    await new Promise(setImmediate)
    expect(await operationsDuring(() => world.pass())).toEqual(['fdb.replace'])
    expect(world.actual()).toEqual(world.expected())
  })

  test('erases a route of ours that somebody adds beside the right one, and leaves that and a foreign one alone', async () => {
    await worldWith(1)
    world.appendRoute(0, 'static')
    world.appendRoute(0, ROUTE_PROTOCOL)
    await new Promise(setImmediate)
    world.advance(1_000)
    const report = await world.reconciler.pass(new AbortController().signal)
    expect(report).toMatchObject({ written: 0, erased: 1, undone: 1, failures: [] })
    expect(report.undoneExample).toBe('route 10.0.16.0/20 via 10.255.255.9 metric 2 proto 70')
    expect(world.actual()).toEqual([...world.expected(), 'route 10.0.16.0/20 10.255.255.9 2 static'].toSorted())
  })

  test('erases one that was added while nobody watched', async () => {
    await worldWith(1)
    world.appendRoute(0, ROUTE_PROTOCOL)
    await world.restart()
    await world.pass()
    expect(world.actual()).toEqual(world.expected())
  })

  test.each(['static', ROUTE_PROTOCOL] as const)(
    'restores a route whose place one of protocol %s has taken',
    async (protocol) => {
      await worldWith(1)
      const { destination, metric } = first(rowsOf(0, 0).routes)
      const place = { destination, metric, type: 'unicast', linkIndex: world.linkIndex, onlink: true } as const
      world.outside({ op: 'route.replace', ...place, gateway: ip('10.255.255.9'), protocol })
      await new Promise(setImmediate)
      world.advance(1_000)
      await world.pass()
      expect(world.actual()).toEqual(world.expected())
    },
  )

  test.each(['the device', 'another link'])(
    'restores a route without gateway whose place one of %s has taken',
    async (where) => {
      world = await OverlayWorld.create(true)
      const place = { destination: prefix('10.0.0.0/8'), metric: 1 } as const
      const row = { ...place, gateway: undefined, protocol: ROUTE_PROTOCOL, onlink: false } as const
      world.reconciler.setPeer('all', onDevice({ ...NO_ROWS, routes: [row] }))
      await world.pass()
      const linkIndex = where === 'the device' ? world.linkIndex : (world.kernel.indexOf('eth0') ?? 0)
      world.outside({ op: 'route.replace', type: 'unicast', ...place, linkIndex, protocol: 'boot' })
      await new Promise(setImmediate)
      world.advance(1_000)
      expect(await world.pass()).toBeGreaterThan(0)
      const { routes } = world.kernel.tables
      expect([...routes.values()]).toMatchObject([{ ...place, linkIndex: world.linkIndex, protocol: ROUTE_PROTOCOL }])
    },
  )

  test('restores a route whose place was taken while the tables were read and no peer was known yet', async () => {
    await worldWith(1)
    await world.crash()
    const { destination, gateway, metric } = first(rowsOf(0, 0).routes)
    const place = { destination, gateway, metric, type: 'unicast', linkIndex: world.linkIndex, onlink: true } as const
    world.kernel.meanwhile = () => {
      world.outside({ op: 'route.replace', ...place, protocol: 'boot' })
    }
    await world.pass()
    world.list()
    world.advance(1_000)
    await world.pass()
    expect(world.actual()).toEqual(world.expected())
  })

  test('heals a row three times at once, then ever more slowly, and names it; other rows are healed at once', async () => {
    await worldWith(2)
    const undo = async (peer: number): Promise<{ written: number; flapping: string | undefined }> => {
      world.advance(300)
      world.outside({ op: 'neighbour.delete', linkIndex: world.linkIndex, ip: first(rowsOf(peer, 0).neighbours).ip })
      await new Promise(setImmediate)
      const { written, flapping } = await world.reconciler.pass(new AbortController().signal)
      await new Promise(setImmediate)
      return { written, flapping }
    }
    for (let time = 0; time < 3; time++) expect(await undo(0)).toEqual({ written: 1, flapping: undefined })
    expect(await undo(0)).toEqual({ written: 0, flapping: 'neighbour 10.0.16.0' })
    expect(await undo(1)).toEqual({ written: 1, flapping: undefined })
    world.advance(1_500)
    expect(await world.pass()).toBe(1)
    expect(world.actual()).toEqual(world.expected())
  })
})

describe('refusal', () => {
  test('of one peer leaves the others programmed, is reported with the kernel’s words, and is retried with growing delays', async () => {
    world = await OverlayWorld.create(true)
    world.refuse(1)
    for (const peer of [0, 1, 2]) world.setPeer(peer, 0)
    const { failures, written } = await world.reconciler.pass(new AbortController().signal)
    expect(written).toBe(8)
    expect(failures.map(({ row, peer, error, times }) => [row, peer, error.code, times])).toEqual([
      ['route 10.0.32.0/20 via 10.0.32.0 metric 3', '1', 'ENOMEM', 1],
    ])
    expect(world.reconciler.nextPassInMs()).toBe(1_000)
    expect(await world.pass()).toBe(0)
    world.advance(1_000)
    await world.pass()
    expect(world.reconciler.nextPassInMs()).toBe(2_000)
    world.kernel.faults = {}
    world.advance(2_000)
    await world.pass()
    expect(world.actual()).toEqual(world.expected())
  })
})
