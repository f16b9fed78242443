import { describe, expect, test } from 'vitest'
import { SUBNET_FILE, vxlanLease, waitFor, type LabHost } from '../lab/index.ts'
import { firstPass } from '../lab/log.ts'
import { numberAt, objectAt, objectsAt, parseObject, textAt } from '../lab/json.ts'
import { DEVICE, DEVICE6, DUAL, useLab } from '../lab/use-lab.ts'

const ECHO_REQUEST6 = 128

describe('two nodes of both address families', () => {
  const lab = useLab({ hosts: 2 }, async (made) => {
    await made.putConfig(DUAL)
    await made.startAgents()
    for (const host of made.hosts)
      await waitFor(
        `${host.name} to know the other`,
        async () => (await host.peerTables(DEVICE6, 6)).routes.length === 1,
      )
    await Promise.all(made.hosts.map((host) => host.addContainer()))
  })

  /** The IPv6 part of a host's lease, read without the agent's codec. */
  const lease6 = async ({ address6 }: LabHost): Promise<{ base: string; mac: string }> => {
    const found = (await lab().leases()).find(({ value }) => textAt(parseObject(value), 'PublicIPv6') === address6)
    const base = found?.name.split('&')[1]?.replace(/-64$/, '') ?? ''
    return { base, mac: textAt(objectAt(parseObject(found?.value ?? '{}'), 'BackendV6Data'), 'VtepMAC') ?? '' }
  }

  test('hold one lease each, named for both subnets, with a VtepMAC per family', async () => {
    const leases = await lab().leases()
    expect(leases).toHaveLength(2)
    for (const { name, value } of leases) {
      expect(name).toMatch(/^10\.\d+\.\d+\.0-20&fd00:10:0:[0-9a-f]+::-64$/)
      const json = parseObject(value)
      const [mac, mac6] = ['BackendData', 'BackendV6Data'].map((field) => textAt(objectAt(json, field), 'VtepMAC'))
      expect(mac).not.toBe(mac6)
    }
  })

  test('have a second device on the IPv6 underlay, usable at once and deaf to router advertisements', async () => {
    const host = lab().host(0)
    const { base, mac } = await lease6(host)
    const vxlan = { vni: 100, port: 8472, local: host.address6, underlay: 'eth0' }
    expect(await host.link(DEVICE6)).toMatchObject({ mac, mtu: 1430, up: true, vxlan })
    const shown = await host.place.exec('ip', ['-o', '-6', 'address', 'show', 'dev', DEVICE6])
    expect(shown).toContain(`inet6 ${base}/128 scope global nodad`)
    for (const device of [DEVICE, DEVICE6])
      expect(await host.place.exec('cat', [`/proc/sys/net/ipv6/conf/${device}/accept_ra`])).toBe('0\n')
  })

  test('hold neighbour, fdb entry and route of each other in both families', async () => {
    const [host, other] = [lab().host(0), lab().host(1)]
    const { base, mac } = await lease6(other)
    expect(await host.peerTables(DEVICE6, 6)).toMatchObject({
      neighbours: [{ address: base, mac, permanent: true }],
      fdb: [{ mac, remote: other.address6, permanent: true }],
      routes: [{ destination: `${base}/64`, gateway: base, protocol: '70', onlink: true }],
    })
    expect((await host.peerTables(DEVICE)).routes).toHaveLength(1)
  })

  test('write a subnet file with both subnets and the MTU that fits both', async () => {
    const host = lab().host(0)
    const text = await host.place.exec('cat', [SUBNET_FILE])
    expect(text).toMatch(
      /^FLANNEL_NETWORK=10\.0\.0\.0\/8\nFLANNEL_SUBNET=10\..*\.1\/20\nFLANNEL_IPV6_NETWORK=fd00:10::\/48\n/,
    )
    expect(text).toContain(`FLANNEL_IPV6_SUBNET=${(await lease6(host)).base}1/64\nFLANNEL_MTU=1430\n`)
  })

  test('carry pings of both families, IPv6 in VXLAN over IPv6, as large as the MTU', async () => {
    const [from, to] = lab().hosts.flatMap(({ containers }) => containers)
    const capture = await lab().capture()
    expect(await from?.ping(to?.address ?? '')).toEqual({ sent: 3, received: 3 })
    expect(await from?.ping(to?.address6 ?? '')).toEqual({ sent: 3, received: 3 })
    const requests = (await capture.stop()).filter(
      ({ icmpType, innerSource }) => icmpType === ECHO_REQUEST6 && innerSource === from?.address6, // agents ask each other, too
    )
    expect(requests).toHaveLength(3)
    expect(requests[0]).toMatchObject({
      outerSource: lab().host(0).address6,
      outerDestination: lab().host(1).address6,
      port: 8472,
      vni: 100,
      innerSource: from?.address6,
      innerDestination: to?.address6,
    })
    const payload = 1430 - 40 - 8
    const large = ['-c1', '-W2', '-M', 'do', '-s', `${payload}`, to?.address6 ?? '']
    expect((await from?.place.attempt('ping', large))?.code).toBe(0)
  })

  test('ask each other in both families, and answer', async () => {
    const [host] = lab().hosts
    await waitFor('both to answer', async () => {
      const text = await host?.place.exec('curl', [
        '-s',
        '--unix-socket',
        '/run/flannel/flanneld.sock',
        'http://agent/v1/peers',
      ])
      const peers = objectsAt(parseObject(text ?? ''), 'peers')
      expect(peers.map((peer) => [numberAt(peer, 'family'), textAt(peer, 'reach')]).sort()).toEqual([
        [4, 'reachable'],
        [6, 'reachable'],
      ])
      return true
    })
  })

  test('take a peer of IPv4 alone for what it is', async () => {
    await lab().putLease('10.33.0.0-20', vxlanLease('192.168.205.99', '02:00:00:00:00:77'))
    const host = lab().host(0)
    await waitFor('the IPv4 peer', async () => (await host.peerTables(DEVICE)).routes.length === 2)
    expect((await host.peerTables(DEVICE6, 6)).routes).toHaveLength(1)
    expect(await host.agent.log()).not.toContain('lease rejected')
    await lab().deleteLease('10.33.0.0-20')
    await waitFor('it to be gone', async () => (await host.peerTables(DEVICE)).routes.length === 1)
  })

  test('write nothing when an agent is killed and started again', async () => {
    const host = lab().host(0)
    const before = await lab().leases()
    await host.agent.kill()
    host.agent.start()
    expect(await firstPass(host)).toContain('peers=1 rejected=0 written=0 erased=0 failed=0 kernelWrites=0')
    expect(await lab().leases()).toEqual(before)
  })

  test('heal a flushed route and a deleted device of IPv6', async () => {
    const [host, other] = [lab().host(0), lab().host(1)]
    const { base } = await lease6(other)
    const isWhole = async (): Promise<boolean> =>
      (await host.link(DEVICE6)) !== undefined && (await host.peerTables(DEVICE6, 6)).routes[0]?.gateway === base
    await host.place.exec('ip', ['-6', 'route', 'flush', 'dev', DEVICE6, 'proto', '70'])
    await waitFor('the route', isWhole, { deadlineMs: 2_000 })
    await host.place.exec('ip', ['link', 'delete', DEVICE6])
    await waitFor('the device', isWhole, { deadlineMs: 3_000 })
    const [from, to] = lab().hosts.flatMap(({ containers }) => containers)
    await waitFor('a ping', async () => (await from?.ping(to?.address6 ?? '', { count: 1 }))?.received === 1)
  })

  test('go on with IPv4 alone where IPv6 is switched off on the card, and with both once it is on again', async () => {
    const { place, agent, address6 } = lab().host(0)
    const before = await lab().leases()
    const switchOff = (off: 0 | 1): Promise<string> =>
      place.exec('sysctl', ['-qw', `net.ipv6.conf.eth0.disable_ipv6=${off}`])
    const saysIpv6 = async (): Promise<boolean> => (await place.exec('cat', [SUBNET_FILE])).includes('FLANNEL_IPV6_')
    const [from, to] = lab().hosts.flatMap(({ containers }) => containers)
    const reaches = (address = ''): Promise<unknown> =>
      waitFor(`a ping of ${address}`, async () => (await from?.ping(address, { count: 1 }))?.received === 1)
    await agent.stop()
    await switchOff(1)
    agent.start()
    await waitFor('a file of IPv4 alone', async () => !(await saysIpv6()))
    await reaches(to?.address)
    expect(await lab().leases()).toEqual(before)
    await switchOff(0)
    await place.ipBatch([`address add ${address6}/64 dev eth0 nodad`])
    await waitFor('a file of both', saysIpv6)
    await reaches(to?.address6)
    await reaches(to?.address)
    expect(await lab().leases()).toEqual(before)
  })
})
