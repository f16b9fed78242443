import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ip } from '../../../src/net/ip.ts'
import { AgentWorld, CONFIG, upstreamLease } from '../../fake/agent-world.ts'

const DUAL = CONFIG.replace('"Backend"', '"EnableIPv6":true,"IPv6Network":"fd00:10::/48","Backend"')
const DEVICES = ['flannel.100', 'flannel-v6.100']

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
})

afterEach(async () => {
  await world.close()
})

function addAddress6(): void {
  const linkIndex = world.kernel.indexOf('eth0') ?? 0
  world.kernel.outside({ op: 'address.add', linkIndex, ip: ip('fd00:205::10'), prefixLength: 64 })
}

async function start(config = DUAL): Promise<void> {
  world.etcd.putConfig(config)
  await world.start()
  await world.until('forwarding', () => world.forwards())
}

const dualLease = (octet: number): string =>
  JSON.stringify({
    PublicIP: `192.168.205.${octet}`,
    BackendType: 'vxlan',
    BackendData: { VNI: 100, VtepMAC: `02:00:00:00:04:${octet}` },
    PublicIPv6: `fd00:205::${octet}`,
    BackendV6Data: { VNI: 100, VtepMAC: `02:00:00:00:06:${octet}` },
  })

const routesOf = (device: string): readonly string[] =>
  [...world.kernel.tables.routes.values()]
    .filter(({ linkIndex, protocol }) => linkIndex === world.kernel.indexOf(device) && protocol === '70')
    .map(({ destination }) => destination.text)

describe('a node of both families', () => {
  test('has a device for each, deaf to router advertisements, and says both subnets once both forward', async () => {
    addAddress6()
    await start()
    await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
    expect(DEVICES.map((name) => world.kernel.indexOf(name))).not.toContain(undefined)
    for (const name of DEVICES) expect(world.sysctls.get(`net/ipv6/conf/${name}/accept_ra`)).toBe('0')
    expect(await world.readSubnetFile()).toMatch(/FLANNEL_SUBNET=10\..*FLANNEL_IPV6_SUBNET=fd00:10:.*FLANNEL_MTU=1430/s)
    expect(world.logged(/forwarding is set up/)).toHaveLength(1)
  })

  test('puts of each peer on each device what the peer has', async () => {
    addAddress6()
    world.etcd.put('10.30.0.0-20', upstreamLease(30))
    world.etcd.put('10.31.0.0-20&fd00:10:0:31::-64', dualLease(31))
    await start()
    expect(routesOf('flannel.100')).toEqual(['10.30.0.0/20', '10.31.0.0/20'])
    expect(routesOf('flannel-v6.100')).toEqual(['fd00:10:0:31::/64'])
    expect(world.logged(/rejected$/)).toEqual([])
  })

  test('waits for an IPv6 address on the interface that IPv4 uses', async () => {
    world.etcd.putConfig(DUAL)
    await world.start()
    expect(world.logged(/eth0 has no IPv6 address/)).toHaveLength(1)
    addAddress6()
    await world.advance(1_000)
    await world.until('forwarding', () => world.forwards())
  })

  const linkOf = (name: string): number => world.kernel.indexOf(name) ?? 0
  const ownLeases = (): readonly string[] => world.etcd.records.map(({ key }) => key)

  /** Starts without an IPv6 address, and waits until containers can be started. */
  async function startWithout6(): Promise<void> {
    await world.start()
    await world.advance(5_000)
    await world.until('IPv4', () => world.subnet !== undefined && world.holds('forwarding of IPv4'))
    await world.until('the word', () => world.status.state.startable)
  }

  test('without an IPv6 address starts with IPv4 after five seconds, says so, and begins again with both once there is one', async () => {
    world.etcd.putConfig(DUAL)
    await startWithout6()
    const [key = ''] = ownLeases()
    expect(key).toMatch(/^10\.[\d.]+-20$/)
    expect(await world.readSubnetFile()).not.toContain('IPV6')
    expect(world.status.state).toMatchObject({ ready: false, degraded: [] })
    expect(world.status.state.reasons.join()).toMatch(/^underlay of IPv6: eth0 has no IPv6 address/)
    expect(world.logged(/eth0 has no IPv6 address/)).toHaveLength(1)
    addAddress6()
    await world.advance(1_000)
    await world.until('both', async () => (await world.readSubnetFile())?.includes('FLANNEL_IPV6_SUBNET') === true)
    expect(ownLeases()).toEqual([expect.stringMatching(new RegExp(`^${key}&fd00:10:`))])
    await world.until('the word that it is written', () => world.status.state.ready) // the file is there a moment before
    expect(world.status.state).toMatchObject({ ready: true, reasons: [] })
  })

  test('keeps its lease and its IPv6 device when it is started again while the IPv6 address is gone', async () => {
    addAddress6()
    await start()
    await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
    await world.stop()
    const before = world.etcd.records.map(({ key, value }) => [key, value])
    const device = world.kernel.indexOf('flannel-v6.100')
    world.kernel.outside({ op: 'address.delete', linkIndex: linkOf('eth0'), ip: ip('fd00:205::10'), prefixLength: 64 })
    await startWithout6()
    expect(world.etcd.records.map(({ key, value }) => [key, value])).toEqual(before)
    expect(world.kernel.indexOf('flannel-v6.100')).toBe(device)
    expect(await world.readSubnetFile()).not.toContain('IPV6')
    addAddress6()
    await world.advance(1_000)
    await world.until('both', async () => (await world.readSubnetFile())?.includes('FLANNEL_IPV6_SUBNET') === true)
    expect(world.etcd.records.map(({ key, value }) => [key, value])).toEqual(before)
  })

  test('starts with IPv4 where the underlay is too narrow for IPv6, says so, and has both once it is not', async () => {
    addAddress6()
    const linkIndex = world.kernel.indexOf('eth0') ?? 0
    world.kernel.outside({ op: 'link.set', linkIndex, mtu: 1300 })
    world.etcd.putConfig(DUAL)
    await world.start()
    await world.until('IPv4', () => world.subnet !== undefined && world.holds('forwarding of IPv4'))
    await world.until('subnet file', async () => {
      await world.advance(1_000)
      return (await world.readSubnetFile()) !== undefined
    })
    expect(await world.readSubnetFile()).toMatch(/^FLANNEL_NETWORK=.*\nFLANNEL_SUBNET=10\..*\nFLANNEL_MTU=1250\n/)
    await world.until('the word', () => world.status.state.startable)
    expect(world.status.state).toMatchObject({ ready: false, degraded: [] })
    expect(world.status.state.reasons.join()).toMatch(/device flannel-v6\.100: MTU of eth0: expected at least 1350/)
    world.kernel.outside({ op: 'link.set', linkIndex, mtu: 1500 })
    await world.advance(1_000)
    await world.until('both', async () => (await world.readSubnetFile())?.includes('FLANNEL_IPV6_SUBNET') === true)
    await world.until('the word that it is written', () => world.status.state.ready)
    expect(world.status.state).toMatchObject({ ready: true, reasons: [] })
    expect(await world.readSubnetFile()).toContain('FLANNEL_MTU=1430')
  })

  test('mends one device while the other goes on', async () => {
    addAddress6()
    world.etcd.put('10.31.0.0-20&fd00:10:0:31::-64', dualLease(31))
    await start()
    const ipv4 = world.kernel.indexOf('flannel.100')
    world.kernel.outside({ op: 'link.delete', linkIndex: world.kernel.indexOf('flannel-v6.100') ?? 0 })
    await world.advance(1_000)
    expect(routesOf('flannel-v6.100')).toEqual(['fd00:10:0:31::/64'])
    expect(world.kernel.indexOf('flannel.100')).toBe(ipv4)
  })
})

describe('a node of IPv4 alone', () => {
  test('takes the IPv4 half of a peer of both', async () => {
    world.etcd.put('10.31.0.0-20&fd00:10:0:31::-64', dualLease(31))
    await start(CONFIG)
    expect(routesOf('flannel.100')).toEqual(['10.31.0.0/20'])
    expect(world.logged(/lease rejected/)).toEqual([])
  })

  test('says of peers of another backend once that they are left alone', async () => {
    for (const octet of [30, 31]) world.etcd.put(`10.${octet}.0.0-20`, upstreamLease(octet).replace('vxlan', 'host-gw'))
    await start(CONFIG)
    expect(world.logged(/another backend .*host-gw/)).toHaveLength(1)
    expect(routesOf('flannel.100')).toEqual([])
  })
})

test('a network of IPv6 alone is refused by the name of the field', async () => {
  world.etcd.putConfig('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:10::/48"}')
  await world.start()
  expect(world.logged(/EnableIPv4: expected true/)).toHaveLength(1)
})
