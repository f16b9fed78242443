import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { KernelOp } from '../../../src/kernel/kernel.ts'
import { AgentWorld, CONFIG, upstreamLease } from '../../fake/agent-world.ts'

const configOf = (directRouting: boolean): string =>
  CONFIG.replace('"VNI":100', `"VNI":100,"DirectRouting":${directRouting}`)

/** On our link, both. */
const NEAR = ['10.30.0.0/20', '10.31.0.0/20']
/** Behind the default route, which leads to a gateway. */
const FAR = '10.40.0.0/20'

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
  const { kernel, etcd } = world
  const linkIndex = kernel.indexOf('eth0') ?? 0
  const route = { destination: prefix('0.0.0.0/0'), type: 'unicast', linkIndex, metric: 0, protocol: 'boot' } as const
  kernel.outside({ op: 'route.replace', ...route, gateway: ip('192.168.205.1') })
  etcd.putConfig(configOf(false))
  etcd.put('10.30.0.0-20', upstreamLease(30))
  etcd.put('10.31.0.0-20', upstreamLease(31))
  etcd.put('10.40.0.0-20', upstreamLease(40).replace('192.168.205.40', '172.16.0.40'))
})

afterEach(async () => {
  await world.close()
})

async function start(options: { readonly peerFilter?: boolean } = {}): Promise<void> {
  await world.start(options)
  await world.until('forwarding', async () => (await world.readSubnetFile()) !== undefined)
}

/** Tells `world` of DirectRouting, and lets everything happen that follows. */
async function turn(isOn: boolean): Promise<void> {
  world.etcd.putConfig(configOf(isOn))
  await world.advance(2_000)
}

/** Names of the links that lead to a subnet. */
const waysTo = (subnet: string): readonly (string | undefined)[] =>
  [...world.kernel.tables.routes.values()]
    .filter(({ destination }) => destination.text === subnet)
    .map(({ linkIndex }) => world.kernel.tables.links.get(linkIndex ?? 0)?.name)

const everyWay = (): readonly string[] => [...NEAR, FAR].map((subnet) => waysTo(subnet).join(' '))

const TUNNELS = ['flannel.100', 'flannel.100', 'flannel.100']
const DIRECT = ['eth0', 'eth0', 'flannel.100']

const detour = (subnet: string): KernelOp => ({
  op: 'route.replace',
  destination: prefix(subnet),
  type: 'unicast',
  linkIndex: world.kernel.indexOf('eth0') ?? 0,
  gateway: ip('192.168.205.1'),
  metric: 0,
  protocol: 'static',
})

describe('DirectRouting switched while the agent runs', () => {
  test('takes those on our link off the tunnel and brings them back, and nothing else changes', async () => {
    await start()
    expect(everyWay()).toEqual(TUNNELS)
    const [file, leases] = [await world.readSubnetFile(), world.store.writes.length]
    await turn(true)
    expect(everyWay()).toEqual(DIRECT)
    expect(world.rows()).toEqual({ neighbours: 1, fdb: 1, routes: 1 })
    await turn(false)
    expect(everyWay()).toEqual(TUNNELS)
    expect(world.rows()).toEqual({ neighbours: 3, fdb: 3, routes: 3 })
    expect(await world.readSubnetFile()).toBe(file)
    expect(world.store.writes).toHaveLength(leases)
    expect(world.logged(/Backend\.DirectRouting changed in the configuration/)).toHaveLength(2)
    expect(world.logged(/next start|changed from outside/)).toEqual([])
  })

  test('leaves no moment in which a peer has no route, or a route without what it needs', async () => {
    await start()
    const lacking: string[] = []
    world.kernel.faults.refuse = ({ op }) => {
      const { fdb, neighbours } = world.kernel.tables
      for (const subnet of NEAR) if (waysTo(subnet).length !== 1) lacking.push(`${op}: no route to ${subnet}`)
      const tunnels = [...NEAR, FAR].filter((subnet) => waysTo(subnet).includes('flannel.100')).length
      if (fdb.size < tunnels || neighbours.size < tunnels) lacking.push(`${op}: a tunnel that leads nowhere`)
      return undefined
    }
    for (const isOn of [true, false, true]) await turn(isOn)
    expect(lacking).toEqual([])
    expect(everyWay()).toEqual(DIRECT)
  })

  test('follows the routes of the host from then on, and no longer once it is off', async () => {
    await start()
    await turn(true)
    world.kernel.outside(detour('192.168.205.30/32'))
    await world.advance(1_000)
    expect(everyWay()).toEqual(['flannel.100', 'eth0', 'flannel.100'])
    await turn(false)
    const { writes } = world.kernel.stats()
    world.kernel.outside(detour('192.168.205.31/32'))
    await world.advance(1_000)
    expect(world.kernel.stats().writes).toBe(writes)
  })

  test('goes by the routes as they are then, not as they were when somebody last looked', async () => {
    await start()
    await turn(true)
    await turn(false)
    world.kernel.outside(detour('192.168.205.30/32'))
    await turn(true)
    expect(everyWay()).toEqual(['flannel.100', 'eth0', 'flannel.100'])
  })

  test('holds for peers that come later, either way', async () => {
    await start()
    await turn(true)
    world.etcd.put('10.50.0.0-20', upstreamLease(50))
    await world.advance(1_000)
    expect(waysTo('10.50.0.0/20')).toEqual(['eth0'])
    await turn(false)
    world.etcd.put('10.51.0.0-20', upstreamLease(51))
    await world.advance(1_000)
    expect(['10.50.0.0/20', '10.51.0.0/20'].map(waysTo)).toEqual([['flannel.100'], ['flannel.100']])
  })

  test('keeps letting in packets of the same peers, who may still see us behind a tunnel', async () => {
    await start({ peerFilter: true })
    const before = new Set(world.peerFilter.peers)
    expect([...before].sort()).toEqual(['172.16.0.40', '192.168.205.30', '192.168.205.31'])
    const { writes } = world.peerFilter
    const count = writes.length
    for (const isOn of [true, false]) {
      await turn(isOn)
      await world.advance(10_000)
    }
    expect(world.peerFilter.peers).toEqual(before)
    expect(world.peerFilter.writes).toHaveLength(count)
  })

  test('holds for the next start as well', async () => {
    await start()
    await turn(true)
    await world.stop()
    const { writes } = world.kernel.stats()
    await start()
    expect(everyWay()).toEqual(DIRECT)
    expect(world.kernel.stats().writes).toBe(writes)
  })
})
