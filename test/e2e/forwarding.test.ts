import { describe, expect, test } from 'vitest'
import { forwards, isReady, waitFor, type LabHost } from '../lab/index.ts'
import { ask, fails, holds } from '../lab/health.ts'
import { says } from '../lab/log.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'

const IPV4 = 'net.ipv4.ip_forward'
const IPV6 = 'net.ipv6.conf.all.forwarding'
const OURS = 'net.ipv4.conf.flannel/100.forwarding'
const DEVICE6 = 'flannel-v6.100'
const FLAGS = ['--iptables-resync=1']
const ALL_ARRIVE = { sent: 3, received: 3 }
/** Says on eth0, as a router does, that it leads everywhere for half an hour (RFC 4861 §4.2); the kernel fills the checksum in. */
const ADVERTISE = `
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.sendto(struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0), ('ff02::1', 0, 0, socket.if_nametoindex('eth0')))
`

const read = async ({ place }: LabHost, ...names: readonly string[]): Promise<readonly string[]> =>
  (await place.exec('sysctl', ['-n', ...names])).trim().split('\n')

const withoutCounts = (ruleset: string): string => ruleset.replaceAll(/packets \d+ bytes \d+/g, '')

const set = async ({ place }: LabHost, ...settings: readonly string[]): Promise<void> => {
  await place.exec('sysctl', ['-qw', ...settings])
}

describe('two hosts that forward nothing when their agents start', () => {
  const lab = useLab({ hosts: 2 }, async (made) => {
    const [host, router] = [made.host(0), made.host(1)]
    for (const each of made.hosts) await set(each, `${IPV4}=0`, `${IPV6}=0`, 'net.ipv6.conf.eth0.accept_ra=1')
    await host.place.exec('ip', ['-6', 'route', 'delete', 'default'])
    await waitFor('the default route', async () => {
      await router.place.exec('python3', ['-c', ADVERTISE])
      return (await defaultRoutes(host)).includes('proto ra')
    })
    await made.putConfig({ ...CONFIG, EnableIPv6: true, IPv6Network: 'fd00:10::/48' })
    for (const { agent } of made.hosts) agent.start(FLAGS)
    await Promise.all(made.hosts.map((each) => each.addContainer()))
  })
  const defaultRoutes = ({ place }: LabHost): Promise<string> => place.exec('ip', ['-6', 'route', 'show', 'default'])
  const pings = async (from: 0 | 1): Promise<unknown> =>
    lab()
      .host(from)
      .containers[0]?.ping(lab().host(from === 0 ? 1 : 0).containers[0]?.address ?? '')

  test('forward afterwards, which each says once, and their containers reach each other', async () => {
    for (const host of lab().hosts) {
      await says(host, /net\.ipv4\.ip_forward was off, turned on/)
      await says(host, /net\.ipv6\.conf\.all\.forwarding was off, turned on/)
      expect(await read(host, IPV4, IPV6)).toEqual(['1', '1'])
    }
    await waitFor('the way to the other', async () => (await lab().host(0).peerTables(DEVICE)).routes.length === 1)
    await waitFor('the way back', async () => (await lab().host(1).peerTables(DEVICE)).routes.length === 1)
    expect(await pings(0)).toEqual(ALL_ARRIVE)
  })

  test('keep the default route that a router has advertised', async () => {
    const [host, router] = [lab().host(0), lab().host(1)]
    expect(await defaultRoutes(host)).toContain('proto ra')
    expect(await host.agent.logOfRun()).toMatch(/router advertisements are heeded .* iface=eth0 accept_ra=2/)
    expect(await read(host, 'net.ipv6.conf.eth0.accept_ra')).toEqual(['2'])
    expect(await read(router, 'net.ipv6.conf.eth0.accept_ra')).toEqual(['1']) // its default route is no router's
  })

  test('forward again when somebody turns it off', async () => {
    const host = lab().host(0)
    await set(host, `${IPV4}=0`, `${IPV6}=0`)
    await waitFor('forwarding', async () => (await read(host, IPV4, IPV6)).join() === '1,1')
    await says(host, /net\.ipv4\.ip_forward was turned off by somebody, turned on again/)
    expect(await pings(1)).toEqual(ALL_ARRIVE)
  })

  test('carry the overlay as well where reverse paths are checked strictly', async () => {
    for (const host of lab().hosts) {
      await set(host, ...['all', 'default', 'eth0', 'flannel/100'].map((name) => `net.ipv4.conf.${name}.rp_filter=1`))
      expect(await read(host, 'net.ipv4.conf.flannel/100.rp_filter')).toEqual(['1'])
    }
    expect([await pings(0), await pings(1)]).toEqual([ALL_ARRIVE, ALL_ARRIVE])
    const to = lab().host(1).containers[0]?.address ?? ''
    expect((await lab().host(0).place.attempt('ping', ['-n', '-c', '1', '-W', '2', to])).code).toBe(0)
  })

  test('carry both families over devices of a host that has forwarding, and IPv6, off for interfaces to come', async () => {
    for (const { place } of lab().hosts) {
      await place.exec('sysctl', ['-qw', 'net.ipv4.conf.default.forwarding=0', 'net.ipv6.conf.default.disable_ipv6=1'])
      await place.exec('ip', ['link', 'delete', DEVICE])
      await place.exec('ip', ['link', 'delete', DEVICE6])
    }
    for (const host of lab().hosts) {
      for (const family of [4, 6] as const)
        await waitFor(`the route of IPv${family}`, async () => {
          const tables = await host.peerTables(family === 4 ? DEVICE : DEVICE6, family).catch(() => undefined)
          return tables?.routes.length === 1
        })
      await waitFor('forwarding', async () => (await read(host, OURS)).join() === '1')
      expect(await read(host, IPV4, 'net.ipv4.conf.default.forwarding')).toEqual(['1', '0'])
    }
    expect([await pings(0), await pings(1)]).toEqual([ALL_ARRIVE, ALL_ARRIVE])
    const to = lab().host(1).containers[0]?.address6 ?? ''
    expect(await lab().host(0).containers[0]?.ping(to)).toEqual(ALL_ARRIVE)
    expect(await lab().host(0).agent.log()).toMatch(/net\.ipv4\.conf\.flannel\/100\.forwarding was off, turned on/)
  })

  test('pass on what comes by the overlay again when somebody turns that off', async () => {
    const host = lab().host(0)
    await set(host, `${OURS}=0`, 'net.ipv6.conf.flannel-v6/100.disable_ipv6=1')
    await waitFor('forwarding', async () => (await read(host, OURS)).join() === '1')
    await waitFor('IPv6', async () => (await read(host, 'net.ipv6.conf.flannel-v6/100.disable_ipv6')).join() === '0')
    await waitFor('the route of IPv6', async () => (await host.peerTables(DEVICE6, 6)).routes.length === 1)
    expect(await pings(1)).toEqual(ALL_ARRIVE)
    expect(await host.agent.log()).toMatch(/flannel\/100\.forwarding was turned off by somebody, turned on again/)
  })

  test('name what others do to the overlay, with its cure, for as long as it lasts, and change none of it', async () => {
    const host = lab().host(0)
    const { subnet, mtu } = await host.ready()
    const touchBridge = async (verb: string): Promise<void> => {
      await host.place.exec('ip', ['address', verb, `${subnet.base.text}/32`, 'dev', 'docker0'])
    }
    await host.place.exec('nft', [
      'add table inet own; add chain inet own pass { type filter hook forward priority 5; policy drop; }',
    ])
    await host.place.exec('iptables', [
      '-t',
      'nat',
      '-A',
      'POSTROUTING',
      '-s',
      subnet.text,
      '!',
      '-o',
      'docker0',
      '-j',
      'MASQUERADE',
    ])
    await host.place.exec('ip', ['link', 'set', 'c0', 'mtu', '1500'])
    await set(host, `net.ipv4.conf.docker0.forwarding=0`)
    const before = await host.place.exec('nft', ['list', 'ruleset'])
    await touchBridge('add') // which is worth a look
    expect(
      await fails(
        host,
        'drops of others',
        /^the policy of nftables inet own, chain pass, .* Cure: nft insert rule inet own pass /,
      ),
    ).toMatchObject({ effect: 'degraded' })
    await fails(host, 'masquerading of others', /MASQUERADE.* Cure: start Docker with --ip-masq=false/)
    await fails(
      host,
      'container bridge',
      /^containers on docker0 have an MTU of 1500, the overlay carries 1430\. Cure: /,
    )
    await fails(host, 'net.ipv4.conf.docker0.forwarding', /Cure: sysctl -w net\.ipv4\.conf\.docker0\.forwarding=1/)
    expect(await pings(1)).not.toEqual(ALL_ARRIVE)
    expect(withoutCounts(await host.place.exec('nft', ['list', 'ruleset']))).toBe(withoutCounts(before))
    await host.place.exec('nft', ['delete', 'table', 'inet', 'own'])
    await host.place.exec('iptables', [
      '-t',
      'nat',
      '-D',
      'POSTROUTING',
      '-s',
      subnet.text,
      '!',
      '-o',
      'docker0',
      '-j',
      'MASQUERADE',
    ])
    await host.place.exec('ip', ['link', 'set', 'c0', 'mtu', `${mtu}`])
    await set(host, `net.ipv4.conf.docker0.forwarding=1`)
    await touchBridge('delete')
    await holds(host, [
      'drops of others',
      'masquerading of others',
      'container bridge',
      'net.ipv4.conf.docker0.forwarding',
    ])
    expect(await pings(1)).toEqual(ALL_ARRIVE)
  })

  test('are not ready where /proc/sys cannot be written, and say what to do', async () => {
    const host = lab().host(0)
    await host.agent.stop()
    await set(host, `${IPV4}=0`)
    await host.place.exec('sh', ['-c', 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys'])
    host.agent.start(FLAGS)
    await says(host, /net\.ipv4\.ip_forward is not on, .*EROFS.* Cure: sysctl -w net\.ipv4\.ip_forward=1/)
    await forwards(host)
    const answer = await ask(host, '/readyz')
    expect(answer?.status).toBe(503)
    expect(answer?.reasons[0]).toMatch(/^net\.ipv4\.ip_forward: is not on, /)
    await host.place.exec('umount', ['--lazy', '/proc/sys'])
    await isReady(host)
    expect(await read(host, IPV4)).toEqual(['1'])
    await says(host, /net\.ipv4\.ip_forward is on now/)
  })
})
