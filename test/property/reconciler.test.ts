import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { ROUTE_PROTOCOL, ROUTE_PROTOCOL_BOOT, type KernelOp } from '../../src/reconcile/kernel.ts'
import { entriesOf, first, OverlayWorld } from '../fake/overlay-world.ts'

/** One thing that happens; `run` may find nothing to do it to. */
interface Event {
  readonly name: string
  readonly run: (world: OverlayWorld) => unknown
}

/** Few, so that what happens is likely to happen to the same one. */
const PEERS = 3
const peer = fc.nat(PEERS - 1)
const variant = fc.nat(1)

const event = (name: string, run: Event['run']): Event => ({ name, run })

/** Somebody else's hands on our rows. */
const meddling: fc.Arbitrary<Event> = fc.tuple(fc.nat(5), peer, variant).map(([what, p, v]) => {
  const { neighbours, fdb, routes } = entriesOf(p, v)
  const { ip: address } = first(neighbours)
  const { mac: peerMac } = first(fdb)
  const { destination, gateway, metric } = first(routes)
  return event(`meddle ${what} with ${p}`, (world) => {
    const { linkIndex } = world
    const route = { type: 'unicast', destination, gateway, metric, linkIndex } as const
    const ops: readonly KernelOp[] = [
      { op: 'neighbour.delete', linkIndex, ip: address },
      { op: 'neighbour.replace', linkIndex, ip: address, mac: mac('02:ff:ff:ff:ff:ff') },
      { op: 'fdb.delete', linkIndex, mac: peerMac },
      { op: 'fdb.replace', linkIndex, mac: peerMac, remote: ip('203.0.113.9') },
      { op: 'route.delete', ...route, protocol: ROUTE_PROTOCOL },
      { op: 'route.replace', ...route, protocol: ROUTE_PROTOCOL_BOOT, onlink: true },
    ]
    world.outside(...ops.slice(what, what + 1))
  })
})

const peerChanges: fc.Arbitrary<Event> = fc.oneof(
  fc.tuple(peer, variant).map(([p, v]) =>
    event(`set ${p} to ${v}`, (world) => {
      world.setPeer(p, v)
    }),
  ),
  peer.map((p) =>
    event(`drop ${p}`, (world) => {
      world.dropPeer(p)
    }),
  ),
)

/** The same, between the kernel's work and our seeing its answer. */
const racing: fc.Arbitrary<Event> = fc.oneof(peerChanges, meddling).map(({ name, run }) =>
  event(`${name} during the next call`, (world) => {
    world.kernel.meanwhile = () => void run(world)
  }),
)

/** Everything leases, the kernel, other people and our own process may do, in any order. */
const events: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(event('pass', (world) => world.pass())) },
  { weight: 4, arbitrary: peerChanges },
  meddling,
  { weight: 4, arbitrary: racing },
  fc.constant(event('tend', (world) => world.tend())),
  fc.constant(event('restart', (world) => world.restart())),
  fc.nat(70_000).map((ms) =>
    event(`advance ${ms}`, (world) => {
      world.advance(ms)
    }),
  ),
  peer.map((p) =>
    event(`upstream route ${p}`, (world) => {
      world.addUpstreamRoute(p)
    }),
  ),
  fc.integer({ min: 1, max: 3 }).map((host) =>
    event(`foreign route ${host}`, (world) => {
      world.addForeignRoute(host)
    }),
  ),
  fc.constant(
    event('delete device', (world) => {
      world.deleteDevice()
    }),
  ),
  fc.constant(
    event('device down', (world) => {
      world.takeDown()
    }),
  ),
  peer.map((p) =>
    event(`kernel refuses ${p}`, (world) => {
      world.refuse(p)
    }),
  ),
  fc.constant(event('answers are lost', ({ kernel }) => (kernel.faults.loseAnswer = () => true))),
  fc.constant(event('notifications are lost', ({ kernel }) => (kernel.faults.loseNotifications = true))),
  fc.constant(event('dumps are interrupted', ({ kernel }) => (kernel.faults.interruptSnapshots = 1))),
  fc.constant(
    event('faults end', ({ kernel }) => {
      kernel.heal()
    }),
  ),
)

test('any sequence of changes, drift, errors and restarts ends with the tables exact and foreign entries untouched', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(events, { maxLength: 40 }), async (echo, sequence) => {
      const world = await OverlayWorld.create(echo)
      try {
        for (const { run } of sequence) await run(world)
        await world.settle()
        expect(world.actual()).toEqual(world.expected())
        const before = world.kernel.stats().writes
        world.advance(60_000)
        world.reconciler.distrust()
        await world.pass()
        expect(world.kernel.stats().writes - before, 'writes of a pass over settled tables').toBe(0)
      } finally {
        world.close()
      }
    }),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 10_000) },
  )
}, 120_000)
