import { afterEach, beforeEach, expect, test } from 'vitest'
import { ip } from '../../../../src/net/ip.ts'
import { AgentWorld, CONFIG } from '../../../fake/agent-world.ts'

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
  world.etcd.putConfig(CONFIG)
})

afterEach(async () => {
  await world.close()
})

async function start(ifaces: readonly string[] = []): Promise<void> {
  await world.start({ ifaces })
  await world.until('forwarding', async () => {
    await world.advance(100) // whose lease it is may be asked first
    return world.forwards()
  })
  await world.advance(3_000)
}

/** A second card, in a network of its own. */
function addNat(): void {
  const { index: linkIndex } = world.kernel.addCard('nat0')
  world.kernel.outside({ op: 'address.add', linkIndex, ip: ip('172.16.2.15'), prefixLength: 24 })
}

const warnings = (): readonly string[] => world.logged(/^warn etcd \(/)

test('an underlay over which etcd is not reached is a warning that names the other, once, and no reason to be unready', async () => {
  addNat()
  await start(['nat0'])
  await world.advance(600_000)
  expect(warnings()).toEqual([
    'warn etcd (192.168.205.2) is reached over eth0, and not over nat0, the underlay: ' +
      'if the other hosts are there as well, --iface=eth0 is meant',
  ])
  await world.until('ready', () => world.status.state.ready)
})

test('an underlay over which etcd is reached, or one on lo, is none', async () => {
  addNat()
  await start()
  await world.stop()
  const lo = world.kernel.indexOf('lo') ?? 0
  world.kernel.outside({ op: 'address.add', linkIndex: lo, ip: ip('10.255.0.1'), prefixLength: 32 })
  await start(['lo'])
  expect(warnings()).toEqual([])
})

test('a route to etcd that moves away is noticed when it is looked at again', async () => {
  await start()
  addNat()
  const { kernel } = world
  const lookup = kernel.lookup.bind(kernel)
  kernel.lookup = async (to, signal) => ({
    ...(await lookup(to, signal)),
    linkIndex: kernel.indexOf('nat0') ?? 0,
    gateway: undefined,
    source: undefined,
  })
  await world.advance(300_000)
  expect(world.fails('way to etcd', /over nat0, and not over eth0/)).toBe(true)
  kernel.lookup = lookup
  await world.advance(300_000)
  expect(world.holds('way to etcd')).toBe(true)
})
