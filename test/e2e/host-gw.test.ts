import { describe, expect, test } from 'vitest'
import { fails, waitFor, type LabHost } from '../lab/index.ts'
import { firstPass } from '../lab/log.ts'
import { hears, saying } from './probe.ts'
import { CONFIG, DEVICE, DUAL, useLab } from '../lab/use-lab.ts'

const withBackend = (type: string, config: object = CONFIG): object => ({ ...config, Backend: { Type: type } })
/** None of these waits says how fast something is. */
const PATIENTLY = { deadlineMs: 60_000 }
const WROTE_NOTHING = 'peers=1 rejected=0 written=0 erased=0 failed=0 kernelWrites=0'
const OFF_LINK = { PublicIP: '203.0.113.9', PublicIPv6: '2001:db8::9', BackendType: 'host-gw' }

/** An earlier run had a device and --vxlan-peer-filter. */
async function filterIsRemoved({ place, agent }: LabHost): Promise<void> {
  await agent.stop()
  await place.exec('nft', ['add', 'table', 'inet', 'flannel-peers'])
  agent.start()
  const tables = (): Promise<string> => place.exec('nft', ['list', 'tables', 'inet'])
  await waitFor('the filter to be gone', async () => !(await tables()).includes('flannel-peers'))
}

describe('host-gw', () => {
  const lab = useLab({ hosts: 2 }, async (made) => {
    await made.putConfig(withBackend('host-gw'))
    await made.startAgents()
    await Promise.all(made.hosts.map((host) => host.addContainer()))
  })

  async function routeBecomes(host: LabHost, other: LabHost): Promise<void> {
    const { subnet } = await other.ready()
    const route = `via ${other.address} dev eth0 proto 70`
    await waitFor(`${host.name} to have its route`, async () =>
      (await host.place.exec('ip', ['route', 'show', subnet.text])).includes(route),
    )
  }

  test('containers reach each other with their addresses, over the underlay alone', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    await routeBecomes(first, second)
    await routeBecomes(second, first)
    const [from, to] = [first.containers[0], second.containers[0]]
    if (from === undefined || to === undefined) throw new Error('no containers')
    const capture = await lab().capture()
    expect(await from.ping(to.address, { count: 5 })).toEqual({ sent: 5, received: 5 })
    expect(await capture.stop()).toEqual([])
    expect(await first.link(DEVICE)).toBeUndefined()
    expect((await first.place.exec('ip', ['link', 'show', 'type', 'vxlan'])).trim()).toBe('')
    expect((await first.ready()).mtu).toBe((await first.link('eth0'))?.mtu)
    const [lease] = await lab().leases()
    expect(JSON.parse(lease?.value ?? '')).toMatchObject({ BackendType: 'host-gw' })
    expect(lease?.value).not.toContain('BackendData')
  })

  test('a route that somebody deletes is restored', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    await first.place.exec('ip', ['route', 'delete', (await second.ready()).subnet.text])
    await routeBecomes(first, second)
  })

  test('a restarted agent writes nothing', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    await routeBecomes(first, second)
    await first.agent.stop()
    first.agent.start()
    expect(await firstPass(first)).toContain(WROTE_NOTHING)
  })

  test('the peer filter of an earlier run is taken away', async () => {
    await filterIsRemoved(lab().host(0))
  })

  test('upstream leaves a route behind, and a peer is not on our link: the one goes, the other is named', async () => {
    const host = lab().host(0)
    await host.place.exec('ip', ['route', 'add', '10.70.0.0/20', 'via', lab().host(1).address])
    await lab().putLease('10.80.0.0-20', JSON.stringify({ ...OFF_LINK, PublicIPv6: null }))
    await fails(host, 'peers of IPv4', /10\.80\.0\.0-20/)
    await waitFor(
      'the leftover to be gone',
      async () => (await host.place.exec('ip', ['route', 'show', '10.70.0.0/20'])).trim() === '',
    )
    await routeBecomes(host, lab().host(1))
  })
})

describe('host-gw of both families', () => {
  const lab = useLab({ hosts: 2 }, async (made) => {
    await made.putConfig(withBackend('host-gw', DUAL))
    for (const { agent } of made.hosts) agent.start()
    await Promise.all(made.hosts.map((host) => host.addContainer()))
    for (const host of made.hosts) await routesAre(host)
  })

  const other = (host: LabHost): LabHost => lab().host(host === lab().host(0) ? 1 : 0)
  const route6 = (host: LabHost, to: string): Promise<string> => host.place.exec('ip', ['-6', 'route', 'show', to])

  /** Waits until the host has a route of each family to the other, and no more of ours. */
  async function routesAre(host: LabHost): Promise<void> {
    const peer = other(host)
    const { subnet, ipv6 } = await peer.ready()
    const wanted = [
      ['-4', subnet.text, peer.address],
      ['-6', ipv6?.subnet.text ?? 'none', peer.address6],
    ] as const
    for (const [family, to, gateway] of wanted)
      await waitFor(
        `${host.name} to have its route to ${to} alone`,
        async () => {
          const found = (await host.place.exec('ip', [family, 'route', 'show', 'proto', '70'])).trim().split('\n')
          return found.length === 1 && found[0]?.startsWith(`${to} via ${gateway} dev eth0 `)
        },
        PATIENTLY,
      )
  }

  test('containers reach each other in both, without a tunnel and with the MTU of the underlay', async () => {
    const [from, to] = lab().hosts.flatMap(({ containers }) => containers)
    const capture = await lab().capture()
    expect(await from?.ping(to?.address ?? '')).toEqual({ sent: 3, received: 3 })
    expect(await from?.ping(to?.address6 ?? '')).toEqual({ sent: 3, received: 3 })
    expect(await capture.stop()).toEqual([])
    const host = lab().host(0)
    expect((await host.place.exec('ip', ['link', 'show', 'type', 'vxlan'])).trim()).toBe('')
    expect((await host.ready()).mtu).toBe((await host.link('eth0'))?.mtu)
    const leases = await lab().leases()
    expect(leases).toHaveLength(lab().hosts.length)
    for (const { name, value } of leases) {
      expect(name).toMatch(/^10\.\d+\.\d+\.0-20&fd00:10:0:[0-9a-f]+::-64$/)
      expect(value).not.toMatch(/Backend(V6)?Data/)
    }
  })

  test('a restarted agent writes nothing', async () => {
    const host = lab().host(0)
    await host.agent.kill()
    host.agent.start()
    expect(await firstPass(host, PATIENTLY)).toContain(WROTE_NOTHING)
  })

  test('a deleted route of IPv6 is restored, one that upstream has left goes, somebody else’s stays', async () => {
    const host = lab().host(0)
    const gateway = other(host).address6
    const [left, foreign] = ['fd00:10:0:7777::/64', 'fd00:10:0:7778::/64']
    await host.place.exec('ip', ['-6', 'route', 'add', left, 'via', gateway])
    await host.place.exec('ip', ['-6', 'route', 'add', foreign, 'via', gateway, 'proto', 'static'])
    const { ipv6 } = await other(host).ready()
    await host.place.exec('ip', ['-6', 'route', 'delete', ipv6?.subnet.text ?? 'none'])
    await routesAre(host)
    await waitFor('the leftover to be gone', async () => (await route6(host, left)) === '', PATIENTLY)
    expect(await route6(host, foreign)).toContain(gateway)
    await host.place.exec('ip', ['-6', 'route', 'delete', foreign])
  })

  test('both routes are back after the underlay was down, where IPv6 loses its addresses', async () => {
    const host = lab().host(0)
    await host.place.exec('ip', ['link', 'set', 'eth0', 'down'])
    await waitFor('the routes to be gone', async () => !(await host.place.exec('ip', ['route'])).includes('proto 70'))
    await host.setUnderlayAddress(host.address)
    await routesAre(host)
    await hears(host, '/readyz', { status: 200 }, PATIENTLY.deadlineMs)
  })

  test('a peer that is not on the link is named in both, and keeps nobody from being ready', async () => {
    const host = lab().host(0)
    const key = '10.80.0.0-20&fd00:10:0:80::-64'
    await lab().putLease(key, JSON.stringify(OFF_LINK))
    for (const family of [4, 6])
      await hears(host, '/readyz', {
        status: 200,
        reasons: [],
        degraded: saying(new RegExp(`^peers of IPv${family}: 1 of 2 cannot be reached: ${key} `)),
      })
    await routesAre(host)
    await host.place.ipBatch(['address add 203.0.113.1/24 dev eth0', 'address add 2001:db8::1/64 dev eth0 nodad'])
    const notNamed: unknown = expect.not.arrayContaining([expect.stringMatching(/^peers of IPv/)])
    await hears(host, '/readyz', { status: 200, degraded: notNamed }, PATIENTLY.deadlineMs) // it is sent to, and does not answer
    await lab().deleteLease(key)
    await routesAre(host)
  })
})

describe('alloc', () => {
  const lab = useLab({ hosts: 2 }, async (made) => {
    await made.putConfig(withBackend('alloc'))
    await made.startAgents()
  })

  test('leases subnets and writes them down, and leaves the kernel alone', async () => {
    const host = lab().host(0)
    const { mtu, subnet } = await host.ready()
    await lab().host(1).ready()
    expect(mtu).toBe((await host.link('eth0'))?.mtu)
    expect((await lab().leases()).map(({ name }) => name)).toContain(subnet.text.replace('/', '-'))
    expect((await host.place.exec('ip', ['route', 'show', 'proto', '70'])).trim()).toBe('')
    expect((await host.place.exec('ip', ['link', 'show', 'type', 'vxlan'])).trim()).toBe('')
  })

  test('takes the peer filter of an earlier run away', async () => {
    await filterIsRemoved(lab().host(0))
  })
})
