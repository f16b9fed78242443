import fc from 'fast-check'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { hostPrefix } from '../../src/net/prefix.ts'
import type { KernelOp } from '../../src/kernel/kernel.ts'
import { CONFIG } from '../fake/agent-world.ts'
import type { StoreOp } from '../fake/fake-lease-store.ts'
import { leaseOf, type MortalWorld } from '../fake/mortal-world.ts'

/** One thing that happens; `run` may find nothing to do it to. */
export interface Event {
  readonly name: string
  readonly run: (world: MortalWorld) => unknown
}

const event = (name: string, run: Event['run']): Event => ({ name, run })
const always = (name: string, run: Event['run']): fc.Arbitrary<Event> => fc.constant(event(name, run))

/** Few, and some that overlap others, so that what happens is likely to concern the same ones. */
const KEYS = ['10.0.16.0-20', '10.0.32.0-20', '10.0.48.0-20', '10.0.16.0-24', '10.0.32.0-19', '192.168.7.0-24', 'junk']
const key = fc.constantFrom(...KEYS)
const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03']
const ADDRESSES = ['192.168.205.21', '192.168.205.22', '192.168.205.23', '192.168.205.10', '192.168.205.11']
const RUBBISH = [
  '',
  '{',
  '[]',
  '{"PublicIP":7,"BackendType":"vxlan"}',
  leaseOf({ publicIp: '127.0.0.1', mac: '02:00:00:00:00:01' }),
  leaseOf({ publicIp: '224.0.0.1', mac: '02:00:00:00:00:01' }),
  leaseOf({ publicIp: '192.168.205.24', mac: '01:00:5e:00:00:01' }),
  leaseOf({ publicIp: '192.168.205.24', mac: '00:00:00:00:00:00' }),
  leaseOf({ publicIp: '192.168.205.24', mac: '02:00:00:00:00:04' }).replace('vxlan', 'host-gw'),
]
const STRANGER = { id: 'c'.repeat(32), hostname: 'stranger' }

/**
 * Writes a lease, in the place of whatever stands there. One that has claimed another MAC is deleted first, so that all claims are as old
 * as the key: the model knows no other age, and an agent that starts after a compaction could not. Rewritten keys have a test of their own
 * (peers.test.ts).
 */
function putPeer(
  { etcd, ownKey }: MortalWorld,
  name: string,
  value: string,
  vtepMac: string,
  etcdLeaseId: string,
): void {
  if (name === ownKey) return
  const before = etcd.get(name)?.value
  if (before !== undefined && !(before.includes(vtepMac) && before.startsWith('{"PublicIP":"192'))) etcd.delete(name)
  etcd.put(name, value, etcdLeaseId)
}

const peerEvents: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(key, fc.constantFrom(...MACS), fc.constantFrom(...ADDRESSES), fc.boolean())
      .map(([name, address, publicIp, isReservation]) =>
        event(`lease ${name}: ${address} ${publicIp}`, (world) => {
          const etcdLeaseId = isReservation ? '0' : world.etcd.grant(86_400)
          putPeer(world, name, leaseOf({ publicIp, mac: address }), address, etcdLeaseId)
        }),
      ),
  },
  {
    weight: 2,
    arbitrary: key.map((name) => event(`lease ${name} deleted`, (w) => name !== w.ownKey && w.etcd.delete(name))),
  },
  fc
    .tuple(key, fc.constantFrom(...RUBBISH))
    .map(([name, value]) => event(`lease ${name}: ${value}`, (w) => name !== w.ownKey && w.etcd.put(name, value))),
  fc.tuple(fc.constantFrom('10.0.64.0-20', '10.0.16.0-20'), fc.boolean()).map(([name, lives]) =>
    event(`rival at ${name}, ${lives ? 'alive' : 'dead'}`, (w) => {
      w.putRival(name, lives)
    }),
  ),
)

/** What may happen to our own lease. */
const onOwn = (name: string, act: (world: MortalWorld, own: string) => unknown): fc.Arbitrary<Event> =>
  always(name, (world) => (world.ownKey === undefined ? undefined : act(world, world.ownKey)))

/** Another one for each key: two that are taken one after the other are in no conflict. */
const macOf = (kind: string, name: string): string => {
  const [, ...octets] = name.split(/[.-]/).map((octet) => (Number(octet) & 255).toString(16).padStart(2, '0'))
  return ['02', kind, ...octets].slice(0, 6).join(':')
}

const ownLeaseEvents: fc.Arbitrary<Event> = fc.oneof(
  onOwn('own lease deleted', ({ etcd }, own) => etcd.delete(own)),
  onOwn('own lease spoilt', ({ etcd }, own) => etcd.put(own, '{')),
  onOwn('own lease in the form of upstream, with another MAC', ({ etcd, cardAddresses }, own) => {
    etcd.put(own, leaseOf({ publicIp: cardAddresses[0]?.text ?? '', mac: macOf('77', own) }))
  }),
  onOwn('own lease taken', ({ etcd }, own) => {
    etcd.put(own, leaseOf({ publicIp: '192.168.205.66', mac: macOf('66', own), node: STRANGER }))
  }),
  onOwn('own etcd lease revoked', ({ etcd }, own) => etcd.revoke(etcd.get(own)?.etcdLeaseId ?? '')),
  onOwn('own lease made a reservation', ({ etcd }, own) => {
    const value = etcd.get(own)?.value
    if (value !== undefined) etcd.put(own, value)
  }),
)

const STORE_OPS: readonly StoreOp[] = [
  'readConfig',
  'list',
  'create',
  'replace',
  'remove',
  'keepAlive',
  'ask',
  'answer',
]

const etcdEvents: fc.Arbitrary<Event> = fc.oneof(
  always('etcd out of reach', ({ store }) => {
    store.disconnect()
  }),
  {
    weight: 2,
    arbitrary: always('etcd in reach', ({ store }) => {
      store.reconnect()
    }),
  },
  always('watch cut', ({ store }) => {
    store.disconnect()
    store.reconnect()
  }),
  always('history compacted', ({ etcd }) => {
    etcd.compact()
  }),
  fc.boolean().map((sameClusterId) =>
    event('etcd wiped', ({ etcd }) => {
      etcd.wipe({ sameClusterId })
    }),
  ),
  always('backup', (world) => {
    world.keepSnapshot()
  }),
  always('restored', (world) => {
    world.restoreSnapshot()
  }),
  always('configuration written again', ({ etcd }) => {
    etcd.putConfig(CONFIG)
  }),
  always('configuration deleted', ({ etcd }) => {
    etcd.deleteConfig()
  }),
  fc
    .tuple(fc.constantFrom(...STORE_OPS), fc.boolean(), fc.constantFrom('UNAVAILABLE', 'DEADLINE_EXCEEDED'))
    .map(([op, applied, code]) =>
      event(`${op} fails with ${code}${applied ? ' after it was done' : ''}`, ({ store }) => {
        store.failNext(op, { code, applied })
      }),
    ),
)

/** Some row of our device, of whichever table, and what somebody does to it. */
const meddling: fc.Arbitrary<Event> = fc.tuple(fc.nat(5), fc.nat(5)).map(([what, at]) =>
  event(`row ${at} suffers ${what}`, (world) => {
    const linkIndex = world.device?.index
    const { neighbours, fdb, routes } = world.kernel.tables
    const pick = <T extends { readonly linkIndex: number | undefined }>(rows: Iterable<T>): T | undefined => {
      const own = [...rows].filter((row) => row.linkIndex === linkIndex)
      return own[at % Math.max(1, own.length)]
    }
    if (linkIndex === undefined) return
    const neighbour = pick(neighbours.values())?.value.ip
    const entry = pick(fdb.values())?.value.mac
    const route = pick(routes.values())
    const ops: readonly (KernelOp | undefined)[] = [
      neighbour && { op: 'neighbour.delete', linkIndex, ip: neighbour },
      neighbour && { op: 'neighbour.replace', linkIndex, ip: neighbour, mac: mac('02:ff:ff:ff:ff:ff') },
      entry && { op: 'fdb.delete', linkIndex, mac: entry },
      entry && { op: 'fdb.replace', linkIndex, mac: entry, remote: ip('203.0.113.9') },
      route && { ...route, op: 'route.delete', type: 'unicast', linkIndex },
      { op: 'fdb.replace', linkIndex, mac: mac('02:ff:ff:ff:ff:fe'), remote: ip('203.0.113.8') },
    ]
    world.outside(...ops.slice(what, what + 1).filter((op) => op !== undefined))
  }),
)

const flush = always('all rows flushed', (world) => {
  const { neighbours, fdb, routes } = world.kernel.tables
  const linkIndex = world.device?.index ?? 0
  const isOurs = (row: { readonly linkIndex: number | undefined }): boolean => row.linkIndex === linkIndex
  world.outside(
    ...[...routes.values()]
      .filter((route) => isOurs(route) && route.protocol === '70')
      .map((route) => ({ ...route, op: 'route.delete', type: 'unicast', linkIndex }) as const),
    ...[...fdb.values()].filter(isOurs).map(({ value }) => ({ op: 'fdb.delete', linkIndex, mac: value.mac }) as const),
    ...[...neighbours.values()]
      .filter(isOurs)
      .map(({ value }) => ({ op: 'neighbour.delete', linkIndex, ip: value.ip }) as const),
  )
})

const onDevice = (
  name: string,
  ops: (linkIndex: number, world: MortalWorld) => readonly KernelOp[],
): fc.Arbitrary<Event> =>
  always(name, (world) => {
    if (world.device !== undefined) world.outside(...ops(world.device.index, world))
  })

const deviceEvents: fc.Arbitrary<Event> = fc.oneof(
  onDevice('device deleted', (linkIndex) => [{ op: 'link.delete', linkIndex }]),
  onDevice('device down', (linkIndex) => [{ op: 'link.set', linkIndex, up: false }]),
  onDevice('device MTU', (linkIndex) => [{ op: 'link.set', linkIndex, mtu: 1300 }]),
  onDevice('device MAC', (linkIndex) => [{ op: 'link.set', linkIndex, mac: mac('02:00:00:00:88:88') }]),
  onDevice('device alias', (linkIndex) => [{ op: 'link.set', linkIndex, alias: 'mine' }]),
  onDevice('device without address', (linkIndex, { kernel }) =>
    [...kernel.tables.addresses.values()]
      .filter((a) => a.linkIndex === linkIndex && !kernel.foreignAddresses.has(a.ip.text))
      .map(({ ip: address, prefixLength }) => ({ op: 'address.delete', linkIndex, ip: address, prefixLength })),
  ),
  onDevice('another address of the overlay', (linkIndex) => [
    { op: 'address.add', linkIndex, ip: ip('10.9.9.9'), prefixLength: 32 },
  ]),
  always('foreign address', (world) => {
    const linkIndex = world.device?.index
    if (linkIndex === undefined) return
    world.kernel.foreignAddresses.add('172.31.0.1')
    world.outside({ op: 'address.add', linkIndex, ip: ip('172.31.0.1'), prefixLength: 32 })
  }),
  always('foreign route', (world) => {
    const { device, kernel } = world
    if (device?.up !== true) return
    const destination = hostPrefix(ip('172.16.0.1'))
    kernel.foreignRoutes.add(destination.text)
    world.outside({
      op: 'route.replace',
      type: 'unicast',
      destination,
      linkIndex: device.index,
      metric: 7,
      protocol: 'static',
    })
  }),
)

const onCard = (
  name: string,
  ops: (linkIndex: number, world: MortalWorld) => readonly KernelOp[],
): fc.Arbitrary<Event> =>
  always(name, (world) => {
    if (world.card !== undefined) world.outside(...ops(world.card.index, world))
  })

const underlayEvents: fc.Arbitrary<Event> = fc.oneof(
  fc
    .constantFrom('192.168.205.10', '192.168.205.11')
    .chain((text) =>
      onCard(`underlay address ${text}`, (linkIndex, { cardAddresses }) => [
        { op: 'address.add', linkIndex, ip: ip(text), prefixLength: 24 },
        ...cardAddresses
          .filter((address) => address.text !== text)
          .map((address) => ({ op: 'address.delete', linkIndex, ip: address, prefixLength: 24 }) as const),
      ]),
    ),
  fc
    .constantFrom(1400, 1500, 9000)
    .chain((mtu) => onCard(`underlay MTU ${mtu}`, (linkIndex) => [{ op: 'link.set', linkIndex, mtu }])),
  onCard('underlay down', (linkIndex) => [{ op: 'link.set', linkIndex, up: false }]),
  onCard('underlay gone', (linkIndex) => [{ op: 'link.delete', linkIndex }]),
  always('underlay as it should be', (world) => {
    world.restoreUnderlay()
  }),
)

const refusals = [
  'route.replace',
  'neighbour.replace',
  'fdb.replace',
  'fdb.delete',
  'link.create',
  'link.set',
  'address.add',
]

const kernelFaults: fc.Arbitrary<Event> = fc.oneof(
  fc.constantFrom(...refusals).map((refused) =>
    event(`kernel refuses ${refused}`, ({ kernel }) => {
      kernel.faults.refuse = ({ op }) => (op === refused ? 'ENOMEM' : undefined)
    }),
  ),
  always('answers are lost', ({ kernel }) => (kernel.faults.loseAnswer = () => true)),
  always('notifications are lost', ({ kernel }) => (kernel.faults.loseNotifications = true)),
  always('dumps are interrupted', ({ kernel }) => (kernel.faults.interruptSnapshots = 2)),
  always('overrun', ({ kernel }) => {
    kernel.overrun()
  }),
  always('kernel faults end', ({ kernel }) => {
    kernel.heal()
  }),
)

const agentEvents: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: always('agent started', (world) => world.startAgent()) },
  always('agent stopped', (world) => world.stopAgent()),
  always('agent killed', (world) => {
    world.kill()
  }),
)

const time: fc.Arbitrary<Event> = fc
  .oneof(fc.constantFrom(0, 1, 300), fc.nat(3_000), fc.nat(70_000))
  .map((ms) => event(`${ms} ms pass`, (world) => world.advance(ms)))

/** Everything that etcd, other nodes, the kernel, other people and our own process may do, in any order. */
export const events: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: time },
  { weight: 4, arbitrary: peerEvents },
  { weight: 2, arbitrary: ownLeaseEvents },
  { weight: 3, arbitrary: etcdEvents },
  { weight: 2, arbitrary: meddling },
  { weight: 1, arbitrary: flush },
  { weight: 2, arbitrary: deviceEvents },
  { weight: 2, arbitrary: underlayEvents },
  { weight: 2, arbitrary: kernelFaults },
  { weight: 3, arbitrary: agentEvents },
)
