import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import type { KernelOp } from '../../src/kernel/kernel.ts'
import { addition, makeVxlan, peer, peers, removal } from './peers.ts'
import { bridgeJson, check, ipJson, realKernel, tool, workerSubnet, type RealHarness } from './real-kernel.ts'

let harness: RealHarness
let signal: AbortSignal

beforeEach(() => {
  harness = realKernel()
  signal = AbortSignal.timeout(50_000)
})

afterEach(() => harness.dispose())

const apply = async (...ops: readonly KernelOp[]): Promise<void> => {
  check(await harness.kernel.apply(ops, signal))
}

describe('links, as iproute2 shows them', () => {
  it('have every setting they were created with', async () => {
    const { name, vni, port } = harness.device(0)
    const vxlan = {
      vni,
      port,
      local: ip('192.0.2.1'),
      underlayIndex: 1,
      learning: true,
      gbp: true,
      ttl: 7,
      udpChecksum: false,
    }
    await apply({
      op: 'link.create',
      spec: { name, mac: mac('02:00:00:00:00:31'), mtu: 1234, alias: 'ours: é', vxlan },
    })
    expect(ipJson('link', 'show', name)[0]).toMatchObject({
      ifname: name,
      mtu: 1234,
      address: '02:00:00:00:00:31',
      ifalias: 'ours: é',
      linkinfo: {
        info_kind: 'vxlan',
        info_data: {
          id: vni,
          link: 'lo',
          local: '192.0.2.1',
          port,
          learning: true,
          ttl: 7,
          udp_csum: false,
          gbp: true,
        },
      },
    })
  })

  it('stand over an IPv6 underlay', async () => {
    const { name, vni, port } = harness.device(0)
    const vxlan = {
      vni,
      port,
      local: ip('2001:db8::1'),
      underlayIndex: 0,
      learning: false,
      gbp: false,
      ttl: 0,
      udpChecksum: true,
    }
    await apply({ op: 'link.create', spec: { name, mac: mac('02:00:00:00:00:31'), mtu: 1430, alias: '', vxlan } })
    expect(ipJson('link', 'show', name)[0]).toMatchObject({
      linkinfo: { info_data: { local6: '2001:db8::1', learning: false, udp_csum: true } },
    })
    expect((await harness.kernel.link(name, signal))?.vxlan?.local?.text).toBe('2001:db8::1')
  })

  it('change in every setting', async () => {
    const linkIndex = await makeVxlan(harness)
    await apply({
      op: 'link.set',
      linkIndex,
      mtu: 1300,
      mac: mac('02:00:00:00:00:32'),
      alias: 'other',
      up: false,
      addressGeneration: 'eui64',
    })
    const shown = {
      mtu: 1300,
      address: '02:00:00:00:00:32',
      ifalias: 'other',
      operstate: 'DOWN',
      inet6_addr_gen_mode: 'eui64',
    }
    expect(ipJson('link', 'show', harness.device(0).name)[0]).toMatchObject(shown)
  })

  it('are all listed, with what they are', async () => {
    const linkIndex = await makeVxlan(harness)
    const { name } = harness.device(1)
    tool('ip', 'link', 'add', name, 'type', 'bridge')
    tool('ip', 'link', 'set', harness.device(0).name, 'master', name)
    const links = await harness.kernel.links(signal)
    const bridge = links.find((link) => link.name === name)
    expect(links.find((link) => link.index === 1)).toMatchObject({ name: 'lo', loopback: true, kind: undefined })
    expect(bridge).toMatchObject({ kind: 'bridge', vxlan: undefined, loopback: false })
    expect(links.find((link) => link.index === linkIndex)).toMatchObject({ master: bridge?.index, carrier: true })
    expect(links).toHaveLength(ipJson('link', 'show').length)
  })

  it('report what the kernel says when it refuses', async () => {
    const linkIndex = await makeVxlan(harness)
    const { name } = harness.device(0)
    await harness.kernel.link(name, signal)
    const [mtu] = await harness.kernel.apply([{ op: 'link.set', linkIndex, mtu: 70_000 }], signal)
    expect(mtu).toMatchObject({ ok: false, error: { op: 'link.set', code: 'EINVAL', target: name } })
    expect(mtu?.ok === false && mtu.error.message).toContain('mtu greater than device maximum')
  })

  it('are named in errors once they were looked at, and numbered before', async () => {
    const linkIndex = await makeVxlan(harness)
    const { name } = harness.device(0)
    const route = addition(linkIndex, peer(1)).filter(({ op }) => op === 'route.replace')
    const refused = route.map((op) => ({ ...op, onlink: false }))
    const target = async (): Promise<string | undefined> => {
      const [result] = await harness.kernel.apply(refused, signal)
      return result?.ok === false ? result.error.target : undefined
    }
    expect(await target()).toBe(`12.0.0.16/28 via 12.0.0.16 dev link ${linkIndex} metric 1001`)
    await harness.kernel.link(name, signal)
    expect(await target()).toBe(`12.0.0.16/28 via 12.0.0.16 dev ${name} metric 1001`)
  })

  it('get no alias of a length that is beyond a message, and the next operation is carried out', async () => {
    const linkIndex = await makeVxlan(harness)
    const alias = 'x'.repeat(200_000)
    const results = await harness.kernel.apply(
      [
        { op: 'link.set', linkIndex, alias },
        { op: 'link.set', linkIndex, mtu: 1301 },
      ],
      signal,
    )
    expect(results).toMatchObject([{ ok: false, error: { code: 'ENCODE' } }, { ok: true }])
    expect(ipJson('link', 'show', harness.device(0).name)[0]).toMatchObject({ mtu: 1301 })
  })
})

describe("a peer's entries, as iproute2 shows them", () => {
  it('are a permanent neighbour, a permanent fdb entry of the device itself, and an onlink route', async () => {
    const linkIndex = await makeVxlan(harness)
    const { name } = harness.device(0)
    const { subnet, mac: address, remote, metric } = peer(3)
    await apply(...addition(linkIndex, peer(3)))
    expect(ipJson('neigh', 'show', 'dev', name)).toMatchObject([
      { dst: subnet.base.text, lladdr: address, state: ['PERMANENT'] },
    ])
    expect(bridgeJson('fdb', 'show', 'dev', name)).toMatchObject([
      { mac: address, dst: remote.text, state: 'permanent', flags: ['self'] },
    ])
    const route = {
      dst: subnet.text,
      gateway: subnet.base.text,
      protocol: '70',
      metric,
      flags: ['onlink'],
      scope: 'global',
    }
    expect(ipJson('route', 'show', 'dev', name)).toMatchObject([route])
    await apply(...removal(linkIndex, peer(3)))
    expect(ipJson('neigh', 'show', 'dev', name)).toEqual([])
    expect(bridgeJson('fdb', 'show', 'dev', name)).toEqual([])
    expect(ipJson('route', 'show', 'dev', name)).toEqual([])
  })

  it('can be 10 000 and are then exactly those, and after removal none', async () => {
    const linkIndex = await makeVxlan(harness)
    const { name } = harness.device(0)
    const all = peers(10_000)
    await apply(...all.flatMap((one) => addition(linkIndex, one)))
    const shown = (
      rows: readonly Readonly<Record<string, unknown>>[],
      ...keys: readonly string[]
    ): ReadonlySet<string> => new Set(rows.map((row) => keys.map((key) => String(row[key])).join(' ')))
    expect(shown(ipJson('neigh', 'show', 'dev', name), 'dst', 'lladdr')).toEqual(
      new Set(all.map((p) => `${p.subnet.base.text} ${p.mac}`)),
    )
    expect(shown(bridgeJson('fdb', 'show', 'dev', name), 'mac', 'dst')).toEqual(
      new Set(all.map((p) => `${p.mac} ${p.remote.text}`)),
    )
    expect(shown(ipJson('route', 'show', 'dev', name), 'dst', 'gateway', 'metric')).toEqual(
      new Set(all.map((p) => `${p.subnet.text} ${p.subnet.base.text} ${p.metric}`)),
    )
    const tables = await harness.kernel.snapshot(linkIndex, [4], signal)
    expect([tables.neighbours.length, tables.fdb.length, tables.routes.length]).toEqual([10_000, 10_000, 10_000])
    await apply(...all.flatMap((one) => removal(linkIndex, one)))
    expect(await harness.kernel.snapshot(linkIndex, [4], signal)).toEqual({ neighbours: [], fdb: [], routes: [] })
  })

  it('are read among foreign ones: other links, other tables, next hops shared with other links', async () => {
    const [linkIndex, other] = [await makeVxlan(harness, 0), await makeVxlan(harness, 1)]
    const [name, otherName] = [harness.device(0).name, harness.device(1).name]
    const [elsewhere, shared] = [harness.subnet(30).text, harness.subnet(31).text]
    const near = harness.subnet(32).base.text
    await apply(...addition(linkIndex, peer(1)), ...addition(other, peer(2)))
    tool('ip', 'route', 'add', elsewhere, 'dev', name, 'table', '1234')
    tool(
      'ip',
      'route',
      'add',
      shared,
      'nexthop',
      'via',
      near,
      'dev',
      otherName,
      'onlink',
      'nexthop',
      'via',
      near,
      'dev',
      name,
      'onlink',
    )
    const { neighbours, fdb, routes } = await harness.kernel.snapshot(linkIndex, [4], signal)
    expect(neighbours.map((n) => n.ip.text)).toEqual([peer(1).subnet.base.text])
    expect(fdb.map((entry) => entry.mac)).toEqual([peer(1).mac])
    const byDestination = new Map(routes.map((route) => [route.destination.text, route]))
    expect([...byDestination.keys()].sort()).toEqual([peer(1).subnet.text, shared].sort())
    const multipath = {
      linkIndex: other,
      gateway: { text: near },
      furtherHops: [{ linkIndex, gateway: { text: near } }],
    }
    expect(byDestination.get(shared)).toMatchObject(multipath)
    const all = await harness.kernel.routes(4, signal)
    expect(all.find((route) => route.destination.text === shared)).toMatchObject(multipath)
    tool('ip', 'route', 'flush', 'table', '1234')
  })
})

describe('questions', () => {
  it('are answered as `ip route get` answers them', async () => {
    const linkIndex = await makeVxlan(harness)
    await apply(...addition(linkIndex, peer(5)))
    const destination = peer(5).subnet.base
    const [shown] = ipJson('route', 'get', destination.text)
    const answer = await harness.kernel.lookup(destination, signal)
    expect(shown).toMatchObject({
      gateway: answer?.gateway?.text,
      dev: harness.device(0).name,
      prefsrc: answer?.source?.text,
    })
    expect(await harness.kernel.lookup(ip('127.0.0.1'), signal)).toMatchObject({ linkIndex: 1 })
  })

  it('of forwarded packets are answered by the rules for them, and rules are told as `ip rule` shows them', async () => {
    const linkIndex = await makeVxlan(harness)
    const [{ subnet }, own] = [peer(5), workerSubnet(250)]
    const source = ip(own.base.text.replace(/\.0$/, '.7'))
    await apply(...addition(linkIndex, peer(5)))
    const bridge = `b${harness.device(0).name}`.slice(0, 15)
    tool('ip', 'link', 'add', bridge, 'type', 'bridge')
    tool('ip', 'addr', 'add', own.text.replace('.0/', '.1/'), 'dev', bridge)
    tool('ip', 'link', 'set', bridge, 'up')
    const rule = ['from', own.text, 'iif', bridge, 'fwmark', '0/0x10', 'lookup', '1235', 'pref', '1235']
    const rulesNow = async () => (await harness.kernel.rules(4, signal)).filter(({ from }) => from?.text === own.text)
    const listening = new AbortController()
    const changes = harness.kernel.changes(
      () => [],
      listening.signal,
      undefined,
      ({ text }) => text === subnet.text,
    )
    const heard = changes[Symbol.asyncIterator]()
    try {
      tool('ip', 'route', 'add', 'unreachable', subnet.text, 'table', '1235')
      expect(await heard.next()).toEqual({ done: false, value: { kind: 'foreign-route', destination: subnet } })
      tool('ip', 'rule', 'add', ...rule)
      expect(await heard.next()).toEqual({ done: false, value: { kind: 'rules', family: 4 } })
      const mark = { value: 0, mask: 0x10 }
      const told = { family: 4, priority: 1235, from: own, iif: bridge, mark, table: '1235', action: 'lookup 1235' }
      expect(await rulesNow()).toMatchObject([told])
      const link = await harness.kernel.link(bridge, signal)
      const forwarded = { linkIndex: link?.index ?? 0, source }
      const answers = await harness.kernel.answers(
        [{ destination: subnet.base, forwarded }, { destination: subnet.base }],
        signal,
      )
      expect(answers).toMatchObject([
        { is: 'none', code: 'EHOSTUNREACH' },
        { is: 'route', route: { linkIndex, table: 'main' } },
      ])
    } finally {
      listening.abort()
      tool('ip', 'rule', 'del', ...rule)
      tool('ip', 'route', 'flush', 'table', '1235')
      tool('ip', 'link', 'del', bridge)
    }
    expect(await rulesNow()).toEqual([])
  })

  it('have answers in a namespace where there is nothing at all', () => {
    const probe = new URL('empty-namespace.ts', import.meta.url).pathname
    const output = execFileSync('unshare', ['--net', process.execPath, '--import', 'tsx', probe], { encoding: 'utf8' })
    expect(JSON.parse(output)).toEqual({
      links: ['lo'],
      addresses: 0,
      routes: [0, 0],
      lookup: [null, null],
      tables: [0, 0, 0],
    })
  })

  it('and operations are counted by name', async () => {
    const linkIndex = await makeVxlan(harness)
    await apply(...addition(linkIndex, peer(1)), ...addition(linkIndex, peer(2)))
    await harness.kernel.snapshot(linkIndex, [4], signal)
    const byOp = { 'neighbour.replace': 2, 'fdb.replace': 2, 'route.replace': 2, fdb: 1, neighbours: 1, routes: 1 }
    expect(harness.kernel.stats()).toEqual({ writes: 6, byOp, errors: 0, overruns: 0 })
  })
})
