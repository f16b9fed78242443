import fc from 'fast-check'
import { expect } from 'vitest'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { ROUTE_PROTOCOL } from '../../src/kernel/marks.ts'
import type { KernelOp } from '../../src/kernel/kernel.ts'
import { first, OverlayWorld, rowsOf, type Making } from '../fake/overlay-world.ts'

/** One thing that happens; `run` may find nothing to do it to. */
export interface Event {
  readonly name: string
  readonly run: (world: OverlayWorld) => unknown
}

/** Few, so that what happens is likely to happen to the same one. */
const PEERS = 3
const peer = fc.nat(PEERS - 1)
const variant = fc.nat(1)

const event = (name: string, run: Event['run']): Event => ({ name, run })

/** Somebody else's hands on our rows. */
const meddling: fc.Arbitrary<Event> = fc.tuple(fc.nat(6), peer, variant).map(([what, p, v]) => {
  const { neighbours, fdb, routes } = rowsOf(p, v)
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
      { op: 'route.replace', ...route, protocol: 'boot', onlink: true },
    ]
    if (what === ops.length) world.appendRoute(p, ROUTE_PROTOCOL)
    world.outside(...ops.slice(what, what + 1))
  })
})

/** Somebody else's hands on what our routes say, and on where they lead. */
const altering: fc.Arbitrary<Event> = fc
  .tuple(peer, fc.constantFrom('src', 'metrics', 'nexthop', 'scope', 'blackhole', 'elsewhere'))
  .map(([p, how]) =>
    event(`alter ${p}: ${how}`, (world) => {
      world.alterRoute(p, how)
    }),
  )

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
  fc.tuple(peer, peer).map(([p, q]) =>
    event(`${p} and ${q} swap MACs`, (world) => {
      world.swapMacs(p, q)
    }),
  ),
)

/** The same, between the kernel's work and our seeing its answer. */
const duringCall = (what: fc.Arbitrary<Event>): fc.Arbitrary<Event> =>
  what.map(({ name, run }) =>
    event(`${name} during the next call`, (world) => {
      world.kernel.meanwhile = () => void run(world)
    }),
  )

const pass = fc.constant(event('pass', (world) => world.pass()))
const tend = fc.constant(event('tend', (world) => world.tend()))

const deviceLoss: fc.Arbitrary<Event> = fc.oneof(
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
)

/** What may happen without anybody touching a row. */
export const calmEvents: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: pass },
  { weight: 4, arbitrary: peerChanges },
  { weight: 4, arbitrary: duringCall(peerChanges) },
  tend,
  deviceLoss,
  duringCall(deviceLoss),
  fc.constant(event('restart', (world) => world.restart())),
  fc.nat(70_000).map((ms) =>
    event(`advance ${ms}`, (world) => {
      world.advance(ms)
    }),
  ),
)

/** Everything leases, the kernel, other people and our own process may do, in any order. */
export const events: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: pass },
  { weight: 4, arbitrary: peerChanges },
  meddling,
  altering,
  { weight: 4, arbitrary: duringCall(fc.oneof(peerChanges, meddling, altering)) },
  tend,
  fc.constant(event('restart', (world) => world.restart())),
  fc.constant(event('crash', (world) => world.crash())),
  fc.constant(
    event('list', (world) => {
      world.list()
    }),
  ),
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
  { weight: 2, arbitrary: deviceLoss },
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

/** After any sequence the tables are exact, foreign entries untouched, and no rule was broken on the way. @throws otherwise */
export async function checkSequence(
  echo: boolean,
  sequence: readonly Event[],
  making: Partial<Making> = {},
): Promise<void> {
  const world = await OverlayWorld.create(echo, making)
  try {
    for (const { run } of sequence) await run(world)
    await world.settle()
    expect(world.actual()).toEqual(world.expected())
    expect(world.violations).toEqual([])
    const before = world.kernel.stats().writes
    world.advance(60_000)
    world.reconciler.invalidate()
    await world.pass()
    expect(world.kernel.stats().writes - before, 'writes of a pass over settled tables').toBe(0)
  } finally {
    world.close()
  }
}

/** After any {@link calmEvents}, nobody is said to have changed a row. @throws otherwise */
export async function checkCalm(
  echo: boolean,
  sequence: readonly Event[],
  making: Partial<Making> = {},
): Promise<void> {
  const world = await OverlayWorld.create(echo, making)
  try {
    for (const { run } of sequence) await run(world)
    await world.settle()
    expect(world.undone, 'rows said to be changed from outside').toBe(0)
  } finally {
    world.close()
  }
}
