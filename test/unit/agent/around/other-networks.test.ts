import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KernelOp } from '../../../../src/kernel/kernel.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix, prefixesOverlap } from '../../../../src/net/prefix.ts'
import { AgentWorld, upstreamLease } from '../../../fake/agent-world.ts'

const WHAT = 'networks of this host'
const PEER = '10.15.96.0-20'
const CONFIG = '{"Network":"10.15.0.0/16","SubnetLen":20,"Backend":{"Type":"vxlan","VNI":100}}'

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
  world.etcd.putConfig(CONFIG)
})

afterEach(async () => {
  await world.close()
})

async function start(): Promise<void> {
  await world.start()
  await world.until('forwarding', () => world.forwards())
  await world.advance(3_000)
}

/** A network of the host, on a link of its own. */
function network(op: 'address.add' | 'address.delete', name: string, address: string): void {
  const linkIndex = world.kernel.indexOf(name) ?? world.kernel.addCard(name).index
  const [base = '', length = ''] = address.split('/')
  world.kernel.outside({ op, linkIndex, ip: ip(base), prefixLength: Number(length) } satisfies KernelOp)
}

const rejections = (): readonly string[] => world.logged(/lease rejected/)

describe("a peer's subnet over a network of this host", () => {
  test.each(['10.15.96.1/20', '10.15.100.1/28'])(
    '%s is rejected, with its name, and taken when that is gone',
    async (address) => {
      world.etcd.put(PEER, upstreamLease(11))
      network('address.add', 'eth1', address)
      await start()
      expect(world.rows().routes).toBe(0)
      expect(rejections()).toEqual([expect.stringMatching(/covers 10\.15\.\S+, the network of eth1 of this host/)])
      expect(world.fails(WHAT, /10\.15\.96\.0-20 is rejected: subnet .* covers 10\.15\.\S+, the network of eth1/)).toBe(
        true,
      )
      network('address.delete', 'eth1', address)
      await world.advance(3_000)
      expect(world.rows().routes).toBe(1)
      expect(world.holds(WHAT)).toBe(true)
    },
  )

  test('is rejected for a resolver also where the host has a thousand addresses in the network, as of virtual services', async () => {
    world.etcd.put(PEER, upstreamLease(11))
    for (let n = 0; n < 1_000; n++) network('address.add', 'kube-ipvs0', `10.15.${n >> 8}.${n & 255}/32`)
    world.resolvers = [ip('10.15.97.53')]
    await start()
    expect(rejections()).toEqual([expect.stringMatching(/covers 10\.15\.97\.53\/32, a resolver of this host/)])
  })

  test('is taken where it lies within a wider one, as with the docker0 that nobody uses, and named', async () => {
    world.etcd.put(PEER, upstreamLease(11))
    network('address.add', 'docker0', '10.15.64.1/18')
    await start()
    expect(world.rows().routes).toBe(1)
    expect(rejections()).toEqual([])
    await world.advance(60_000)
    expect(world.fails(WHAT, /^10\.15\.64\.0\/18, the network of docker0, overlaps 10\.15\.96\.0\/20$/)).toBe(true)
  })

  test("is taken where only a route of others leads there, or our containers' bridge stands, from before it was another's", async () => {
    world.etcd.put(PEER, upstreamLease(11))
    world.etcd.put('10.15.112.0-20', upstreamLease(12))
    world.kernel.addCard('cni0', { kind: 'bridge' })
    network('address.add', 'cni0', '10.15.96.1/20')
    const linkIndex = world.kernel.addCard('wg0').index
    const route = { destination: prefix('10.15.112.0/20'), gateway: undefined, linkIndex, metric: 9, onlink: false }
    world.kernel.outside({ op: 'route.replace', type: 'unicast', ...route, protocol: 'boot' })
    await start()
    expect([world.rows().routes, rejections()]).toEqual([2, []])
  })

  test('is rejected where it covers a resolver, or a default gateway', async () => {
    world.etcd.put(PEER, upstreamLease(11))
    world.etcd.put('10.15.112.0-20', upstreamLease(12))
    world.resolvers = [ip('10.15.97.53')]
    const gateway = {
      destination: prefix('0.0.0.0/0'),
      gateway: ip('10.15.112.1'),
      linkIndex: world.kernel.addCard('eth1').index,
    }
    world.kernel.outside({ op: 'address.add', linkIndex: gateway.linkIndex, ip: ip('192.168.9.2'), prefixLength: 32 })
    world.kernel.outside({
      op: 'route.replace',
      ...gateway,
      type: 'unicast',
      metric: 9,
      protocol: 'boot',
      onlink: true,
    })
    await start()
    expect(world.rows().routes).toBe(0)
    expect(rejections().join()).toMatch(
      /10\.15\.112\.1\/32, a default gateway of this host.*10\.15\.97\.53\/32, a resolver of this host/,
    )
  })
})

describe('a network of this host that comes while a peer stands in its place', () => {
  test('takes nothing from it, is named, and keeps out other peers', async () => {
    world.etcd.put(PEER, upstreamLease(11))
    await start()
    network('address.add', 'br-1', '10.15.96.1/20')
    await world.advance(1_000)
    expect(world.rows().routes).toBe(1)
    expect(world.fails(WHAT, /^10\.15\.96\.0\/20, the network of br-1, overlaps 10\.15\.96\.0\/20$/)).toBe(true)
    network('address.add', 'br-2', '10.15.112.1/20')
    await world.advance(1_000)
    world.etcd.put('10.15.112.0-20', upstreamLease(12))
    world.etcd.put(PEER, upstreamLease(13)) // it moves
    await world.advance(1_000)
    expect(world.rows().routes).toBe(1)
    expect(rejections()).toEqual([
      expect.stringMatching(/subnet 10\.15\.112\.0\/20 covers 10\.15\.112\.0\/20, the network of br-2/),
    ])
    network('address.delete', 'br-1', '10.15.96.1/20')
    network('address.delete', 'br-2', '10.15.112.1/20')
    await world.advance(3_000)
    expect([world.rows().routes, world.holds(WHAT)]).toEqual([2, true])
  })

  test('does not cut it off at a restart of the agent either', async () => {
    world.etcd.put(PEER, upstreamLease(11))
    await start()
    network('address.add', 'br-1', '10.15.96.1/20')
    await world.stop()
    await start()
    expect(world.rows().routes).toBe(1)
    expect(world.fails(WHAT)).toBe(true)
  })
})

describe('our own subnet', () => {
  test('is chosen around networks of this host', async () => {
    const others = ['10.15.0.1/18', '10.15.64.1/18', '10.15.128.1/18', '10.15.192.1/19']
    for (const [at, address] of others.entries()) network('address.add', `eth${at + 1}`, address)
    world.resolvers = [ip('10.15.224.53')]
    await start()
    expect(world.subnet).toBe('10.15.240.0/20')
  })

  test('is kept, and the network named, when one of this host comes over it', async () => {
    await start()
    const own = prefix(world.subnet ?? '')
    const wide = ['10.15.127.254/17', '10.15.255.254/17'].find((text) => prefixesOverlap(prefix(text), own)) ?? ''
    network('address.add', 'br-1', wide)
    await world.advance(1_000)
    expect(world.fails(WHAT, new RegExp(`the network of br-1, overlaps our own subnet ${own.text}`))).toBe(true)
    await world.stop()
    await start()
    expect(world.subnet).toBe(own.text)
  })

  test("has a bridge in it: that is our containers', and no network of the host", async () => {
    await start()
    const bridge = (world.subnet ?? '').replace('.0/', '.1/')
    network('address.add', 'cni0', bridge)
    await world.advance(1_000)
    expect(world.holds(WHAT)).toBe(true)
    await world.stop()
    await start()
    expect(world.subnet).toBe(bridge.replace('.1/', '.0/'))
    expect(world.holds(WHAT)).toBe(true)
  })
})

describe('a Network over the underlay', () => {
  test('is said at the start, once', async () => {
    world.etcd.putConfig(CONFIG.replace('10.15.0.0/16', '192.0.0.0/8').replace('20', '26'))
    await start()
    expect(world.logged(/^warn the overlay 192\.0\.0\.0\/8 lies over 192\.168\.205\.0\/24/)).toHaveLength(1)
  })

  test('of which no subnet lies beside it is refused', async () => {
    const range = '"SubnetLen":26,"SubnetMin":"192.168.205.64","SubnetMax":"192.168.205.192"'
    world.etcd.putConfig(CONFIG.replace('10.15.0.0/16', '192.168.0.0/16').replace('"SubnetLen":20', range))
    await world.start()
    const refusal = /subnets beside the underlay 192\.168\.205\.0\/24/
    await world.until('refused', () => world.fails('lease', refusal))
  })
})
