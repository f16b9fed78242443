import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import type { KernelOp, LinkState } from '../../../../src/kernel/kernel.ts'
import { AgentWorld, CONFIG, upstreamLease } from '../../../fake/agent-world.ts'

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
})

afterEach(async () => {
  await world.close()
})

async function start(config = CONFIG): Promise<void> {
  world.etcd.putConfig(config)
  await world.start()
  await world.until('forwarding', () => world.forwards())
}

const link = (name: string): LinkState | undefined =>
  [...world.kernel.tables.links.values()].find((one) => one.name === name)
const device = (): LinkState | undefined => link('flannel.100')
const indexOf = (name: string): number => world.kernel.indexOf(name) ?? 0

/** What our lease publishes; the fake store holds no other. */
const published = (): string => world.etcd.records.map(({ value }) => value).join()

const defaultRoute = (linkIndex: number) =>
  ({ type: 'unicast', destination: prefix('0.0.0.0/0'), linkIndex, metric: 0, protocol: 'boot' }) as const
const address = (op: 'address.add' | 'address.delete', linkIndex: number, text: string): KernelOp => ({
  op,
  linkIndex,
  ip: ip(text),
  prefixLength: 24,
})

/** A VPN that takes the default route over. */
function addVpn(): void {
  const { index } = world.kernel.addCard('tun0')
  world.kernel.outside(address('address.add', index, '172.16.0.2'), { op: 'route.replace', ...defaultRoute(index) })
}

describe('the underlay chosen without --iface', () => {
  test('is kept when a VPN takes the default route over', async () => {
    await start()
    addVpn()
    await world.advance(120_000)
    expect(device()?.vxlan).toMatchObject({ local: ip('192.168.205.10'), underlayIndex: indexOf('eth0') })
    expect(published()).toContain('192.168.205.10')
  })

  test('is kept without any default route, and the device is healed on it', async () => {
    await start()
    world.kernel.outside({ op: 'route.delete', ...defaultRoute(indexOf('eth0')) })
    world.kernel.outside({ op: 'link.delete', linkIndex: indexOf('flannel.100') })
    await world.advance(1_000)
    expect(device()).toMatchObject({ up: true, vxlan: { underlayIndex: indexOf('eth0') } })
  })

  test('that lost its address is waited for: nothing else is published, the device is healed meanwhile', async () => {
    await start()
    addVpn()
    world.kernel.outside(address('address.delete', indexOf('eth0'), '192.168.205.10'))
    await world.advance(5_000)
    expect(world.fails('IPv4 underlay address', /192\.168\.205\.10 of eth0 is gone/)).toBe(true)
    world.kernel.outside({ op: 'link.set', linkIndex: indexOf('flannel.100'), mtu: 1280 })
    await world.advance(500)
    expect(device()).toMatchObject({ mtu: 1450, vxlan: { local: ip('192.168.205.10') } })
    expect(published()).toContain('192.168.205.10')
    world.kernel.outside(address('address.add', indexOf('eth0'), '192.168.205.10'))
    await world.advance(60_000)
    expect(world.logged(/is gone from the underlay/)).toHaveLength(1)
    expect(world.logged(/is back on the underlay/)).toHaveLength(1)
    expect(world.holds('IPv4 underlay address')).toBe(true)
    expect(published()).toContain('192.168.205.10')
  })

  test('that does not come back is given up for that of the default route', async () => {
    await start()
    const { mac } = device() ?? {}
    world.kernel.outside({ op: 'link.delete', linkIndex: indexOf('flannel.100') })
    world.kernel.outside({ op: 'link.delete', linkIndex: indexOf('eth0') })
    addVpn()
    await world.advance(5_000)
    expect(device()).toBeUndefined()
    expect(world.logged(/warn device flannel.100: eth0, the underlay, is gone. Candidates: tun0/)).toHaveLength(1)
    await world.advance(10_000)
    expect(device()).toMatchObject({ mac, vxlan: { local: ip('172.16.0.2'), underlayIndex: indexOf('tun0') } })
    await world.until('new address published', () => published().includes('172.16.0.2'))
  })

  test('in the network of which the overlay lies, and in a subnet of it, is refused with the reason until mended', async () => {
    world.etcd.putConfig(
      '{"Network":"192.168.205.0/24","SubnetLen":26,"SubnetMin":"192.168.205.0","Backend":{"VNI":100}}',
    )
    await world.start()
    const reason = /no network over the underlay 192.168.205.0\/24/
    await world.until('refusal', () => world.fails('lease', reason))
    expect(world.logged(reason)).toHaveLength(1)
    expect(world.store.writes).toHaveLength(0)
    world.etcd.putConfig(CONFIG)
    await world.advance(5_000)
    await world.until('forwarding', () => world.forwards())
  })
})

describe('an underlay that carries nothing', () => {
  const setEth0 = (fields: Partial<LinkState>): void => {
    const eth0 = link('eth0')
    if (eth0 !== undefined) world.kernel.tables.addLink({ ...eth0, ...fields })
  }

  test.each([
    ['has no carrier', { carrier: false }],
    ['is down', { up: false, carrier: false }],
  ])('makes the node unready as soon as it %s, until it is back', async (words, fields) => {
    await start()
    await world.until('ready', () => world.status.state.ready)
    setEth0(fields)
    await world.advance(1_000)
    expect(world.status.state).toMatchObject({
      ready: false,
      reasons: [expect.stringContaining(`IPv4 underlay link: eth0 ${words}`) as unknown],
    })
    expect(world.logged(new RegExp(`^warn eth0 ${words}: nothing is sent`))).toHaveLength(1)
    setEth0({ up: true, carrier: true })
    await world.advance(1_000)
    expect(world.status.state).toMatchObject({ ready: true })
  })

  test('keeps the log from saying that forwarding goes on', async () => {
    await start()
    await world.until('ready', () => world.status.state.ready)
    setEth0({ carrier: false })
    await world.advance(1_000)
    const reason = 'etcd'
    world.conditions.fails('etcd', reason, 'degraded', { says: 'etcd is away; forwarding goes on as it is' })
    world.conditions.fails('firewall', reason, 'degraded', {
      says: 'firewall: x; trying again, forwarding of the overlay goes on',
    })
    expect(world.log.slice(-2)).toEqual(['warn etcd is away', 'warn firewall: x; trying again'])
    setEth0({ carrier: true })
    await world.advance(1_000)
    world.conditions.fails('lease', reason, 'degraded', { says: 'lease: x; forwarding goes on' })
    expect(world.log.at(-1)).toBe('warn lease: x; forwarding goes on')
  })

  test('is one that has had no address for ten seconds', async () => {
    await start()
    await world.until('ready', () => world.status.state.ready)
    world.kernel.outside(address('address.delete', indexOf('eth0'), '192.168.205.10'))
    await world.advance(9_000)
    expect(world.status.state).toMatchObject({ ready: true, degraded: [/^IPv4 underlay address/] })
    await world.advance(2_000)
    expect(world.status.state).toMatchObject({ ready: false, reasons: [/^IPv4 underlay address/] })
  })
})

describe('an underlay on lo, as with BGP to the host', () => {
  test('has a device that is bound to no card, and the MTU of the card that peers are reached through, followed', async () => {
    world.kernel.outside({ op: 'address.add', linkIndex: indexOf('lo'), ip: ip('10.255.0.1'), prefixLength: 32 })
    const { index } = world.kernel.addCard('eth1', { mtu: 1400 })
    world.etcd.putConfig(CONFIG)
    world.etcd.put('10.99.0.0-20', upstreamLease(60))
    await world.start({ ifaces: ['lo'] })
    await world.until('forwarding', () => world.forwards())
    expect(device()).toMatchObject({ mtu: 1450, vxlan: { local: ip('10.255.0.1'), underlayIndex: 0 } })
    expect(world.logged(/^info the underlay is no card; .* iface=lo through=eth0 \(1500\) mtu=1500/)).toHaveLength(1)
    const plain = {
      metric: 0,
      protocol: 'bgp',
      scope: 'global',
      onlink: false,
      type: 'unicast',
      table: 'main',
    } as const
    const route = { ...plain, destination: prefix('192.168.205.60/32'), gateway: ip('192.168.205.1'), linkIndex: index }
    world.kernel.tables.addRoute(route)
    await world.advance(2_500)
    expect(device()).toMatchObject({ mtu: 1350 })
    world.etcd.put('10.98.0.0-20', upstreamLease(61))
    await world.advance(2_500)
    expect(world.logged(/through=eth0 \(1500\), eth1 \(1400\) mtu=1400/)).toHaveLength(1)
    await world.until('subnet file', async () => (await world.readSubnetFile())?.includes('FLANNEL_MTU=1350') === true)
  })

  test('is looked at once a second at most, however fast routes change, and is right in the end', async () => {
    world.kernel.outside({ op: 'address.add', linkIndex: indexOf('lo'), ip: ip('10.255.0.1'), prefixLength: 32 })
    const { index } = world.kernel.addCard('eth1', { mtu: 1400 })
    world.etcd.putConfig(CONFIG)
    world.etcd.put('10.99.0.0-20', upstreamLease(60))
    await world.start({ ifaces: ['lo'] })
    await world.until('forwarding', () => world.forwards())
    let looks = 0
    const links = world.kernel.links.bind(world.kernel)
    world.kernel.links = (signal) => {
      looks++
      return links(signal)
    }
    const plain = {
      metric: 0,
      protocol: 'bgp',
      scope: 'global',
      onlink: false,
      type: 'unicast',
      table: 'main',
    } as const
    const route = { ...plain, gateway: ip('192.168.205.1'), linkIndex: index }
    for (let n = 0; n < 400; n++) {
      world.kernel.tables.addRoute({ ...route, destination: prefix(`10.254.${n % 200}.0/24`) })
      await world.advance(50)
    }
    expect(looks / 20, 'in a second').toBeLessThan(2)
    world.kernel.tables.addRoute({ ...route, destination: prefix('192.168.205.60/32') })
    await world.advance(2_500)
    expect(device()).toMatchObject({ mtu: 1350 })
  })
})

describe('a VIP on the underlay', () => {
  const vip = (op: 'address.add' | 'address.delete', text: string, prefixLength: number): KernelOp => ({
    op,
    linkIndex: indexOf('eth0'),
    ip: ip(text),
    prefixLength,
  })
  /** Addresses come in the order in which they are told. */
  function standFirst(op: KernelOp): void {
    world.kernel.outside(address('address.delete', indexOf('eth0'), '192.168.205.10'), op)
    world.kernel.outside(address('address.add', indexOf('eth0'), '192.168.205.10'))
  }

  test.each([
    ['of its own, without --iface', '192.168.205.200', 32, []],
    ['of its own, with --iface', '192.168.205.200', 32, ['eth0']],
    ['in our network, with --iface', '192.168.205.5', 24, ['eth0']],
    ['in a wider network, with --iface', '192.168.205.5', 16, ['eth0']],
  ])('%s, may stand first, come and go: nothing changes', async (_, text, length, ifaces) => {
    world.etcd.putConfig(CONFIG)
    await world.start({ ifaces })
    await world.until('forwarding', () => world.forwards())
    const before = published()
    const { index } = device() ?? {}
    standFirst(vip('address.add', text, length))
    await world.advance(70_000)
    world.kernel.outside(vip('address.delete', text, length))
    await world.advance(5_000)
    expect(published()).toBe(before)
    expect(device()).toMatchObject({ index, vxlan: { local: ip('192.168.205.10') } })
  })

  test('is not taken for our address while DHCP has taken that away, with --iface or without', async () => {
    for (const ifaces of [[], ['eth0']]) {
      world.etcd.putConfig(CONFIG)
      await world.start({ ifaces })
      await world.until('forwarding', () => world.forwards())
      world.kernel.outside(vip('address.add', '192.168.205.5', 24))
      await world.advance(70_000)
      world.kernel.outside(vip('address.add', '192.168.205.200', 32))
      world.kernel.outside(address('address.delete', indexOf('eth0'), '192.168.205.10'))
      await world.advance(8_000)
      expect(published()).toContain('192.168.205.10')
      world.kernel.outside(address('address.add', indexOf('eth0'), '192.168.205.10'))
      await world.advance(5_000)
      expect(published()).toContain('192.168.205.10')
      expect(device()?.vxlan).toMatchObject({ local: ip('192.168.205.10') })
      world.kernel.outside(vip('address.delete', '192.168.205.5', 24), vip('address.delete', '192.168.205.200', 32))
      await world.stop()
    }
  })
})

describe('an underlay inside Network', () => {
  test('is waited with, its lease left alone, where --iface insists on it', async () => {
    await start()
    const { records } = world.etcd
    const subnet = world.subnet ?? ''
    await world.stop()
    const { index } = world.kernel.addCard('docker0', { kind: 'bridge' })
    const [base = ''] = subnet.split('/')
    const first = base.replace(/\d+$/, (octet) => String(Number(octet) + 1))
    world.kernel.outside({ op: 'address.add', linkIndex: index, ip: ip(first), prefixLength: 20 })
    for (const ifaces of [['docker0'], ['flannel.100'], [first]]) {
      await world.start({ ifaces })
      await world.until('refusal', () => world.fails('underlay', /Candidates: eth0 \(192\.168\.205\.10\)/))
      await world.advance(10_000)
      await world.stop()
    }
    expect(world.etcd.records).toEqual(records)
  })
})

describe('tables that the kernel does not tell', () => {
  test('are a condition until they are read, and no reason to be unready', async () => {
    await start()
    await world.until('ready', () => world.status.state.ready)
    world.kernel.faults.interruptSnapshots = 3
    await world.advance(61_000)
    expect(world.fails('reading tables of IPv4')).toBe(true)
    expect(world.status.state.ready).toBe(true)
    await world.advance(5_000)
    expect(world.holds('reading tables of IPv4')).toBe(true)
    expect(world.logged(/^warn cannot read the kernel's tables/)).toHaveLength(1)
    expect(world.logged(/^info the kernel's tables can be read again/)).toHaveLength(1)
  })
})

describe('the device in a fight', () => {
  /** A script in a loop: fifty times a second for so long. */
  async function loop(forMs: number, undo: () => void): Promise<void> {
    for (let passedMs = 0; passedMs < forMs; passedMs += 20) {
      undo()
      await world.advance(20)
    }
  }

  test('over its MTU is mended a dozen times in five minutes, with one warning, and looked at four times a second', async () => {
    await start()
    const writes = world.kernel.stats().writes
    let looks = 0
    world.kernel.faults.gate = () => {
      looks++
      return Promise.resolve()
    }
    await loop(300_000, () => {
      world.kernel.outside({ op: 'link.set', linkIndex: indexOf('flannel.100'), mtu: 1280 })
    })
    expect(world.kernel.stats().writes - writes).toBeLessThanOrEqual(12)
    expect(
      world.logged(/warn .*flannel.100 keeps being changed from outside \(mtu 1280, expected 1450\)/),
    ).toHaveLength(1)
    expect(looks / 300, 'calls to the kernel in a second').toBeLessThan(40)
    expect(await world.readSubnetFile()).toContain('FLANNEL_MTU=1450')
  })

  test('over its existence is made anew a dozen times in five minutes, and once more when there is peace', async () => {
    await start()
    const created = (): number => world.kernel.stats().byOp['link.create'] ?? 0
    const before = created()
    await loop(300_000, () => {
      world.kernel.outside({ op: 'link.delete', linkIndex: indexOf('flannel.100') })
    })
    expect(created() - before).toBeLessThanOrEqual(12)
    expect(world.logged(/warn .*flannel.100 keeps being changed from outside \(deleted\)/)).toHaveLength(1)
    await world.advance(75_000)
    expect(device()).toMatchObject({ up: true, mtu: 1450 })
  })

  test.each([
    [
      ...(['over its existence', 'unready', 'deleted'] as const),
      (linkIndex: number): KernelOp => ({ op: 'link.delete', linkIndex }),
    ],
    [
      ...(['over its MTU', 'degraded', 'mtu 1280, expected 1450'] as const),
      (linkIndex: number): KernelOp => ({ op: 'link.set', linkIndex, mtu: 1280 }),
    ],
  ])('%s says so for as long as it is left as it is: %s', async (_, effect, found, undo) => {
    await start()
    await world.until('ready', () => world.status.state.ready)
    await loop(10_000, () => {
      if (device()?.mtu === 1450) world.kernel.outside(undo(indexOf('flannel.100')))
    })
    const [condition] = world.conditions.all()
    const reason = `${found}; left so for now, as it keeps being changed from outside`
    expect(condition).toMatchObject({ what: 'device flannel.100', reason, effect })
    expect(world.status.state.ready).toBe(effect === 'degraded')
    await world.advance(75_000)
    expect(device()?.mtu).toBe(1450)
    expect([world.holds('device flannel.100'), world.status.state.ready]).toEqual([true, true])
    expect(world.logged(/device flannel\.100: .*; left so for now/).length).toBeLessThanOrEqual(4)
  })
})
