import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KernelOp } from '../../../src/kernel/kernel.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { AgentWorld, CONFIG } from '../../fake/agent-world.ts'

const [OURS, VPN] = ['192.168.205.10', '172.16.0.2'] as const

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
  world.etcd.putConfig(CONFIG)
})

afterEach(async () => {
  await world.close()
})

const indexOf = (name: string): number => world.kernel.indexOf(name) ?? 0
const address = (op: 'address.add' | 'address.delete', link: string, text: string, prefixLength = 24): KernelOp => ({
  op,
  linkIndex: indexOf(link),
  ip: ip(text),
  prefixLength,
})

/** What our lease publishes; the fake store holds no other. */
const published = (): string => world.etcd.records.map(({ value }) => value).join()
const device = () => [...world.kernel.tables.links.values()].find(({ name }) => name === 'flannel.100')
const isWaitedFor = (): boolean => world.fails('lease', new RegExp(`does not have ${OURS}`))

async function start(ifaces: readonly string[] = []): Promise<void> {
  await world.start({ ifaces })
  await world.until('forwarding', () => world.forwards())
}

/** Runs for the first time, and stops. */
async function runOnce(): Promise<void> {
  await start()
  await world.until('a subnet file', async () => (await world.readSubnetFile()) !== undefined)
  await world.stop()
}

/** Time passes until the overlay stands: whether another machine holds the lease is asked first. */
const untilForwarding = (): Promise<void> =>
  world.until('forwarding', async () => {
    await world.advance(100)
    return world.forwards()
  })

/** Nothing is left of it on the host. */
async function reboot(): Promise<void> {
  await rm(world.subnetFile)
  world.kernel.outside({ op: 'link.delete', linkIndex: indexOf('flannel.100') })
}

/** A VPN that takes the default route over. */
function addVpn(): void {
  const { index } = world.kernel.addCard('tun0')
  world.kernel.outside(address('address.add', 'tun0', VPN), {
    op: 'route.replace',
    type: 'unicast',
    destination: prefix('0.0.0.0/0'),
    linkIndex: index,
    metric: 0,
    protocol: 'boot',
  })
}

describe('the address in our lease', () => {
  test('is kept at a restart, with the device, though a VPN has the default route', async () => {
    await runOnce()
    const { index } = device() ?? {}
    addVpn()
    await start()
    expect(published()).toContain(OURS)
    expect(device()).toMatchObject({ index, vxlan: { local: ip(OURS), underlayIndex: indexOf('eth0') } })
    expect(world.logged(/^warn/)).toEqual([])
  })

  test('is kept after a reboot, when the lease alone says it', async () => {
    await runOnce()
    await reboot()
    addVpn()
    await world.start()
    await untilForwarding()
    expect(published()).toContain(OURS)
    expect(device()?.vxlan).toMatchObject({ local: ip(OURS) })
  })

  test('is waited for where a VPN is there before DHCP has answered', async () => {
    await runOnce()
    world.kernel.outside(address('address.delete', 'eth0', OURS))
    addVpn()
    await world.start()
    await world.until('waiting', isWaitedFor)
    await world.advance(5_000)
    expect(published()).not.toContain(VPN)
    world.kernel.outside(address('address.add', 'eth0', OURS))
    await world.advance(1_000)
    await world.until('forwarding', () => world.forwards())
    expect(published()).toContain(OURS)
    expect(world.logged(new RegExp(`^warn PublicIP ${OURS} of our lease is no address`))).toHaveLength(1)
  })

  test('is given up with a warning when it does not come', async () => {
    await runOnce()
    world.kernel.outside(address('address.delete', 'eth0', OURS))
    addVpn()
    await world.start()
    await world.until('waiting', isWaitedFor)
    await world.advance(10_000)
    await untilForwarding()
    expect(published()).toContain(VPN)
    expect(world.logged(new RegExp(`^warn our PublicIP is ${VPN} now, and was ${OURS} before`))).toHaveLength(1)
  })

  test('is given up at once for one that DHCP gave in its place, with a warning', async () => {
    await runOnce()
    const [other] = ['192.168.205.77']
    world.kernel.outside(address('address.add', 'eth0', other), address('address.delete', 'eth0', OURS))
    await world.start()
    await world.until('forwarding', async () => {
      await world.advance(100)
      expect(isWaitedFor()).toBe(false)
      return world.forwards()
    })
    expect(published()).toContain(other)
    expect(world.logged(new RegExp(`^warn our PublicIP is ${other} now, and was ${OURS} before`))).toHaveLength(1)
  })

  test('is left at once for the card that --iface names, with a warning', async () => {
    await runOnce()
    addVpn()
    await world.start({ ifaces: ['tun0'] })
    await untilForwarding()
    expect(published()).toContain(VPN)
    expect(world.logged(/^warn our PublicIP is /)).toHaveLength(1)
  })

  test.each([[[]], [['eth0']]])(
    'is kept beside a VIP that stands first at a restart, with --iface %s',
    async (ifaces) => {
      await runOnce()
      world.kernel.outside(
        address('address.add', 'eth0', '192.168.205.5'),
        address('address.delete', 'eth0', OURS),
        address('address.add', 'eth0', OURS),
      )
      await start(ifaces)
      expect(published()).toContain(OURS)
      expect(device()?.vxlan).toMatchObject({ local: ip(OURS) })
    },
  )

  test('that changes while the agent runs is said as a warning', async () => {
    await start()
    world.kernel.outside(address('address.add', 'eth0', '192.168.205.77'), address('address.delete', 'eth0', OURS))
    await world.advance(3_000)
    await world.until('the new one', () => published().includes('192.168.205.77'))
    const warning = /^warn our address on the underlay has changed publicIp=192.168.205.77 before=192.168.205.10/
    expect(world.logged(warning)).toHaveLength(1)
  })
})
