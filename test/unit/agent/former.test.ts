import { afterEach, beforeEach, expect, test } from 'vitest'
import type { KernelErrorCode, KernelOp } from '../../../src/kernel/kernel.ts'
import type { RouteSelection } from '../../../src/kernel/route-selection.ts'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { AgentWorld, CONFIG, upstreamLease } from '../../fake/agent-world.ts'

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
  world.etcd.putConfig(CONFIG)
})

afterEach(async () => {
  await world.close()
})

/** A device that an earlier run, or somebody else, has left: with this address, and a route to 10.30.1.0/24. */
function leave(name: string, vni: number, address: string, alias = 'flannel-agent'): number {
  const vxlan = {
    ...{ vni, local: ip('192.168.205.10'), underlayIndex: world.kernel.indexOf('eth0') ?? 0, port: 8472 },
    ...{ learning: false, gbp: false, ttl: 0, udpChecksum: false },
  }
  world.kernel.outside({ op: 'link.create', spec: { name, mac: mac('02:00:00:00:99:01'), mtu: 1450, alias, vxlan } })
  const linkIndex = world.kernel.indexOf(name) ?? 0
  const destination = prefix('10.30.1.0/24')
  world.kernel.outside(
    { op: 'address.add', linkIndex, ip: ip(address), prefixLength: 32 },
    { op: 'link.set', linkIndex, up: true },
    {
      ...{ op: 'route.replace', type: 'unicast', linkIndex, destination, gateway: destination.base },
      ...{ metric: 9, protocol: '70', onlink: true },
    },
  )
  return linkIndex
}

const start = async (): Promise<void> => {
  await world.start()
  await world.until('forwarding', () => world.forwards())
  await world.clock.settle()
}

const refuse = (what: (op: KernelOp) => boolean, code: KernelErrorCode = 'EPERM'): void => {
  world.kernel.faults.refuse = (op) => (what(op) ? code : undefined)
}

test('whoever looks for what was left, or for the underlay, has no route to a peer made out for it', async () => {
  world.etcd.put('10.30.0.0-20', upstreamLease(30))
  const asked: (RouteSelection | undefined)[] = []
  const routes = world.kernel.routes.bind(world.kernel)
  world.kernel.routes = (family, signal, selection) => {
    asked.push(selection)
    return routes(family, signal, selection)
  }
  await start()
  const isForAll = ({ linkIndex, type, apart }: RouteSelection): boolean =>
    linkIndex === undefined && type === undefined && apart === undefined
  expect(asked.filter((selection) => selection === undefined || isForAll(selection))).toEqual([])
  expect(asked.some((selection) => selection?.linkIndex !== undefined)).toBe(true)
})

test('a former device goes once the tables stand, and a peer whose gateway was its address is reached at once', async () => {
  world.etcd.put('10.30.0.0-20', upstreamLease(30))
  const former = leave('flannel.1', 1, '10.30.0.0')
  const order: string[] = []
  refuse((op) => {
    order.push(op.op === 'link.delete' && op.linkIndex === former ? 'former goes' : op.op)
    return false
  })
  await start()
  expect(world.kernel.indexOf('flannel.1')).toBeUndefined()
  expect(order.indexOf('former goes')).toBeGreaterThan(order.indexOf('fdb.replace'))
  expect(order.slice(order.indexOf('former goes') + 1)).toEqual(['route.replace'])
  expect(world.rows()).toEqual({ neighbours: 1, fdb: 1, routes: 1 })
  expect(world.logged(/info what a former configuration left is removed removed=device flannel.1/)).toHaveLength(1)
  expect(world.holds('former configuration')).toBe(true)
})

test('while the tables do not stand, a former device stays', async () => {
  leave('flannel.1', 1, '10.30.0.0')
  refuse((op) => op.op === 'link.create')
  await world.start()
  await world.advance(120_000)
  expect(world.kernel.indexOf('flannel.1')).toBeDefined()
  world.kernel.heal()
  await world.advance(5_000)
  await world.until('the former device to go', () => world.kernel.indexOf('flannel.1') === undefined)
})

test('what cannot be removed is named as degrading, and tried again each minute', async () => {
  const former = leave('flannel.1', 1, '10.30.0.0')
  refuse((op) => op.op === 'link.delete' && op.linkIndex === former)
  await start()
  expect(world.fails('former configuration', /cannot remove device flannel\.1: .*refused by a fault/)).toBe(true)
  expect(world.status.state.degraded.join()).toMatch(/^former configuration: /)
  world.kernel.heal()
  await world.advance(60_000)
  expect(world.kernel.indexOf('flannel.1')).toBeUndefined()
  expect(world.holds('former configuration')).toBe(true)
})

test("a device without our alias is named with its cure where it is in our network's way, and left alone", async () => {
  const foreign = leave('flannel.1', 1, '10.30.0.0', '')
  await start()
  const reason = /flannel\.1 .*left alone; its address 10\.30\.0\.0\/32 is in the way .*\(ip link delete flannel\.1\)/
  expect(world.fails('former configuration', reason)).toBe(true)
  expect(world.logged(/warn left by a former configuration: flannel\.1/)).toHaveLength(1)
  expect(world.kernel.indexOf('flannel.1')).toBe(foreign)
  world.kernel.outside({ op: 'link.delete', linkIndex: foreign })
  await world.clock.settle()
  expect(world.holds('former configuration')).toBe(true)
})

test("a device that looks like ours and comes later is named, one that is in nobody's way does not degrade", async () => {
  await start()
  leave('flannel.7', 7, '172.16.0.0', '')
  world.kernel.outside({
    ...{ op: 'route.delete', type: 'unicast', destination: prefix('10.30.1.0/24') },
    ...{ linkIndex: world.kernel.indexOf('flannel.7') ?? 0, metric: 9, protocol: '70' },
  })
  await world.advance(60_000)
  await world.until('it to be named', () => world.fails('former configuration', /flannel\.7/))
  expect(world.status.state.degraded).toEqual([])
})
