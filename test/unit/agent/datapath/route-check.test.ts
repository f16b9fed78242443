import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { KernelError, type KernelOp, type RouteState, type RuleState } from '../../../../src/kernel/kernel.ts'
import { AgentWorld, CONFIG, upstreamLease } from '../../../fake/agent-world.ts'

const WHAT = 'routes to peers of IPv4'
const PEER = '10.96.0.0-20'

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
  world.etcd.putConfig(CONFIG)
  world.etcd.put(PEER, upstreamLease(11))
})

afterEach(async () => {
  await world.close()
})

async function start(): Promise<void> {
  await world.start()
  await world.until('forwarding', () => world.forwards())
  await world.advance(3_000)
}

const indexOf = (name: string): number => world.kernel.indexOf(name) ?? 0

type RouteOp = Extract<KernelOp, { op: 'route.replace' | 'route.delete' }>

function foreign(op: 'route.replace' | 'route.delete', destination: string): RouteOp {
  const route = { destination: prefix(destination), gateway: ip('192.168.205.99'), linkIndex: indexOf('eth0') }
  return { op, ...route, type: 'unicast', metric: 0, protocol: 'static' }
}

/** Also for what is asked once more before it is said. */
const LOOKED_MS = 2_500

test('nobody is asked about while hundreds are still to be programmed, but for so long only', async () => {
  for (let at = 0; at < 400; at++) {
    const octets = `${Math.floor(at / 200)}.${1 + (at % 200)}`
    const value = { PublicIP: `172.20.${octets}`, BackendType: 'vxlan' }
    const VtepMAC = `02:00:00:00:${at >> 8 === 0 ? '00' : '01'}:${(at & 255).toString(16).padStart(2, '0')}`
    const key = `10.${11 + (at >> 4)}.${(at & 15) * 16}.0-20`
    world.etcd.put(key, JSON.stringify({ ...value, BackendData: { VNI: 100, VtepMAC } }))
  }
  let refused = 0
  world.kernel.faults.refuse = (op) => {
    const isRow = op.op === 'fdb.replace' || op.op === 'neighbour.replace' || op.op === 'route.replace'
    if (isRow) refused++
    return isRow ? 'EPERM' : undefined
  }
  await world.start()
  await world.until('rows to be refused', () => refused > 0)
  await world.advance(20_000)
  expect([world.rows().routes, world.kernel.asked.length]).toEqual([0, 0])
  await world.advance(15_000)
  expect(world.kernel.asked.length).toBeGreaterThan(0)
})

describe('a route of others', () => {
  test.each(['10.96.0.0/20', '10.96.3.0/24', '10.96.15.255/32'])(
    'to a peer, %s, that wins over ours is named when it is made, and no longer when it is gone',
    async (destination) => {
      await start()
      expect(world.holds(WHAT)).toBe(true)
      world.kernel.outside(foreign('route.replace', destination))
      await world.advance(LOOKED_MS)
      const named = new RegExp(`in 10.96.0.0/20 follow ${destination} via 192.168.205.99 dev eth0 proto static,`)
      expect(world.fails(WHAT, named)).toBe(true)
      expect(world.status.readiness()).toMatchObject({
        body: { degraded: [expect.stringMatching(named)] },
      })
      expect(world.logged(/^warn others' routes or rules win over ours/)).toHaveLength(1)
      world.kernel.outside(foreign('route.delete', destination))
      await world.advance(LOOKED_MS)
      expect(world.holds(WHAT)).toBe(true)
    },
  )

  test('that stood before the agent started is found as well', async () => {
    world.kernel.outside(foreign('route.replace', '10.96.3.0/24'))
    await start()
    expect(world.fails(WHAT, /10\.96\.3\.0\/24 via/)).toBe(true)
  })

  test('that is not in the way of any peer makes no difference, nor one that is there for a moment', async () => {
    await start()
    const asked = world.kernel.asked.length
    world.kernel.outside(foreign('route.replace', '172.16.0.0/16'), foreign('route.replace', '10.64.0.0/20'))
    await world.advance(LOOKED_MS)
    expect(world.kernel.asked.length).toBe(asked)
    world.kernel.outside(foreign('route.replace', '10.96.3.0/24'))
    await world.advance(500)
    world.kernel.outside(foreign('route.delete', '10.96.3.0/24'))
    await world.advance(LOOKED_MS)
    expect(world.logged(/win over ours/)).toEqual([])
  })

  test('to a peer that leaves is no longer named, though nobody else is asked about', async () => {
    await start()
    world.kernel.outside(foreign('route.replace', '10.96.3.0/24'))
    await world.advance(LOOKED_MS)
    expect(world.fails(WHAT)).toBe(true)
    world.etcd.delete(PEER)
    await world.advance(LOOKED_MS)
    expect([world.rows().routes, world.holds(WHAT)]).toEqual([0, true])
  })

  test('is found although the kernel fails to answer at first, which is said', async () => {
    await start()
    const answers = world.kernel.answers.bind(world.kernel)
    const lost = new KernelError({ op: 'answers', errno: 0, code: 'LOST', target: '', message: 'lost' })
    world.kernel.answers = () => Promise.reject(lost)
    world.kernel.outside(foreign('route.replace', '10.96.3.0/24'))
    await world.advance(LOOKED_MS)
    expect([world.fails('asking for routes of IPv4'), world.holds(WHAT)]).toEqual([true, true])
    world.kernel.answers = answers
    await world.advance(2 * LOOKED_MS)
    expect([world.holds('asking for routes of IPv4'), world.fails(WHAT)]).toEqual([true, true])
  })

  test('that only some packets follow is named as well', async () => {
    await start()
    const route: RouteState = {
      ...{ destination: prefix('10.96.0.0/20'), gateway: ip('192.168.205.99'), linkIndex: indexOf('eth0'), metric: 0 },
      ...{ protocol: '70', type: 'unicast', table: 'main', scope: 'global', onlink: false },
    }
    world.kernel.selective = [
      { route, only: 'tos 0x10' },
      { route: { ...route, destination: prefix('172.16.0.0/16') }, only: 'tos 0x8' },
    ]
    world.kernel.outside(foreign('route.replace', '10.0.0.0/9'), foreign('route.delete', '10.0.0.0/9')) // what the kernel reports of it
    await world.advance(60_000)
    expect(
      world.fails(WHAT, /^packets tos 0x10 follow 10\.96\.0\.0\/20 via 192\.168\.205\.99 dev eth0 proto 70, not/),
    ).toBe(true)
    world.kernel.selective = []
    world.kernel.outside(foreign('route.replace', '10.0.0.0/9'), foreign('route.delete', '10.0.0.0/9'))
    await world.advance(60_000)
    expect(world.holds(WHAT)).toBe(true)
  })

  test('that goes with its link, of which the kernel says nothing, is no longer named after seconds', async () => {
    await start()
    world.kernel.outside(foreign('route.replace', '10.96.3.0/24'))
    await world.advance(LOOKED_MS)
    const [key] = [...world.kernel.tables.routes].find(
      ([, { destination }]) => destination.text === '10.96.3.0/24',
    ) ?? ['']
    world.kernel.tables.routes.delete(key)
    await world.advance(5_500)
    expect(world.holds(WHAT)).toBe(true)
  })

  test('is not blamed for a route of ours that is gone without a word: tables are read again, and it is back', async () => {
    await start()
    const [key] = [...world.kernel.tables.routes].find(([, { protocol }]) => protocol === '70') ?? ['']
    const route = world.kernel.tables.routes.get(key)
    world.kernel.tables.routes.delete(key)
    world.kernel.outside(foreign('route.replace', '10.96.0.0/24'), foreign('route.delete', '10.96.0.0/24'))
    await world.advance(LOOKED_MS)
    expect(world.kernel.tables.routes.get(key)).toEqual(route)
    expect(world.logged(/win over ours/)).toEqual([])
  })
})

describe('a route wider than the one to all peers', () => {
  test('is followed, and not to be removed, while the port of the udp backend is taken', async () => {
    world.etcd.putConfig('{"Network":"10.0.0.0/8","SubnetLen":20,"Backend":{"Type":"udp"}}')
    world.etcd.put(PEER, '{"PublicIP":"192.168.205.11"}')
    const way = { destination: prefix('0.0.0.0/0'), gateway: ip('192.168.205.1'), linkIndex: indexOf('eth0') }
    world.kernel.outside({ op: 'route.replace', ...way, type: 'unicast', metric: 0, protocol: 'boot' })
    world.kernel.faults.refuseTun = (op) => (op === 'udp.bind' ? 'EADDRINUSE' : undefined)
    await world.start()
    await world.until('the port to be missed', () => world.fails('device flannel0', /8285/))
    await world.advance(60_000)
    expect(world.logged(/^warn others' routes or rules win over ours/)).toEqual([])
    expect(world.fails(WHAT, /./)).toBe(false)
  })
})

describe('rules of others', () => {
  const rule: RuleState = {
    family: 4,
    priority: 100,
    from: prefix('10.0.0.0/8'),
    isInverted: false,
    table: '200',
    action: 'lookup 200',
  }

  test('that lead packets of containers elsewhere are named with their table, asked for as a container', async () => {
    await start()
    const bridge = world.kernel.addCard('cni0')
    const own = prefix(world.subnet ?? '')
    const first = ip(own.base.text.replace(/\.0$/, '.1'))
    world.kernel.outside({ op: 'address.add', linkIndex: bridge.index, ip: first, prefixLength: 20 })
    const away: RouteState = {
      ...{ destination: prefix('0.0.0.0/0'), gateway: ip('192.168.205.99'), linkIndex: indexOf('eth0'), metric: 0 },
      ...{ protocol: 'static', type: 'unicast', table: '200', scope: 'global', onlink: false },
    }
    world.kernel.setRules([rule], ({ forwarded }) =>
      forwarded?.linkIndex === bridge.index ? { is: 'route', route: away } : undefined,
    )
    await world.advance(LOOKED_MS)
    const words =
      'packets of containers for 10\\.96\\.0\\.0 in 10\\.96\\.0\\.0/20 follow 0\\.0\\.0\\.0/0 via 192\\.168\\.205\\.99 dev eth0 ' +
      'proto static table 200 \\(rule 100: from 10\\.0\\.0\\.0/8 lookup 200\\)'
    expect(world.fails(WHAT, new RegExp(words))).toBe(true)
    world.kernel.setRules([], () => undefined)
    await world.advance(LOOKED_MS)
    expect(world.holds(WHAT)).toBe(true)
  })

  test('that refuse packets to a peer are named as such', async () => {
    await start()
    world.kernel.setRules([{ ...rule, table: undefined, action: 'prohibit' }], () => ({ is: 'none', code: 'EACCES' }))
    await world.advance(LOOKED_MS)
    expect(world.fails(WHAT, /follow a route or rule that says prohibit/)).toBe(true)
  })
})

test('peers are asked about when they come, spread out, and then only every ten minutes', async () => {
  for (let peer = 0; peer < 140; peer++) world.etcd.put(`10.${97 + peer}.0.0-20`, upstreamLease(100 + peer))
  await start()
  const asked = world.kernel.asked.length
  expect(asked).toBeGreaterThan(100)
  await world.advance(590_000)
  expect(world.kernel.asked.length).toBe(asked)
  await world.advance(20_000)
  expect(world.kernel.asked.length).toBe(2 * asked)
})
