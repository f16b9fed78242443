import { describe, expect, it } from 'vitest'
import {
  bridgeEscape,
  forwardingName,
  isOn,
  isOnFrom,
  nameOfForwardingFrom,
  turnOn,
  turnOnFrom,
} from '../../../src/host/forwarding.ts'
import type { RouteState } from '../../../src/kernel/kernel.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { FakeKernel } from '../../fake/fake-kernel.ts'

const { signal } = new AbortController()

/** A host with these settings, by their paths below /proc/sys. */
function hostWith(settings: Readonly<Record<string, string>> = {}) {
  const kernel = new FakeKernel()
  const values = new Map(Object.entries(settings))
  /** What was set, in order. */
  const set: string[] = []
  const ports = {
    kernel,
    readSysctl: (name: readonly string[]) => Promise.resolve(values.get(name.join('/'))),
    setSysctl: (name: readonly string[], value: string) => {
      set.push(`${name.join('/')} ${value}`)
      return Promise.resolve()
    },
  }
  return { kernel, ports, set }
}

describe('whether a host forwards', () => {
  it.each([
    ['net/ipv4/ip_forward', 4, 'net.ipv4.ip_forward'],
    ['net/ipv6/conf/all/forwarding', 6, 'net.ipv6.conf.all.forwarding'],
  ] as const)('is what %s says', async (path, family, name) => {
    expect(forwardingName(family)).toBe(name)
    for (const [value, on] of [
      ['1', true],
      ['2', true],
      ['0', false],
    ] as const)
      expect(await isOn(family, hostWith({ [path]: value }).ports)).toBe(on)
    expect(await isOn(family, hostWith().ports)).toBe(false)
  })
})

describe('whether what an interface gets is passed on', () => {
  const path = 'net/ipv4/conf/eth0.100/forwarding'

  it('is a setting of its own, also of one with a dot in its name', async () => {
    expect(nameOfForwardingFrom('eth0.100')).toBe('net.ipv4.conf.eth0/100.forwarding')
    expect(await isOnFrom('eth0.100', hostWith({ [path]: '1' }).ports)).toBe(true)
    expect(await isOnFrom('eth0.100', hostWith({ [path]: '0' }).ports)).toBe(false)
    expect(await isOnFrom('eth0.100', hostWith().ports)).toBeUndefined()
  })

  it('is turned on there alone', async () => {
    const { ports, set } = hostWith()
    await turnOnFrom('eth0.100', ports)
    expect(set).toEqual([`${path} 1`])
  })
})

describe('turning it on', () => {
  it('is one setting for IPv4', async () => {
    const { ports, set } = hostWith()
    expect(await turnOn(4, ports, signal)).toEqual({ keptRouters: [] })
    expect(set).toEqual(['net/ipv4/ip_forward 1'])
  })

  it('has those IPv6 interfaces heed their routers before that have a default route from one, and would not any more', async () => {
    const setting = (name: string): string => `net/ipv6/conf/${name}/accept_ra`
    const { kernel, ports, set } = hostWith({
      ...{ [setting('eth0')]: '1', [setting('eth1')]: '1', [setting('eth2')]: '2', [setting('eth3')]: '1' },
    })
    const route = (linkIndex: number, fields: Partial<RouteState>): RouteState => ({
      ...{ destination: prefix('::/0'), gateway: ip('fe80::1'), metric: 1024, protocol: 'ra', scope: 'global' },
      ...{ onlink: false, type: 'unicast', table: 'main', linkIndex, ...fields },
    })
    const [eth0, eth1, eth2, eth3] = ['eth0', 'eth1', 'eth2', 'eth3'].map((name) => kernel.addCard(name).index)
    kernel.tables.addRoute(route(eth0 ?? 0, {}))
    kernel.tables.addRoute(route(eth1 ?? 0, { protocol: 'boot', metric: 1 }))
    kernel.tables.addRoute(route(eth2 ?? 0, { metric: 2 }))
    kernel.tables.addRoute(route(eth3 ?? 0, { destination: prefix('2001:db8::/64') }))
    expect(await turnOn(6, ports, signal)).toEqual({ keptRouters: ['eth0'] })
    expect(set).toEqual([`${setting('eth0')} 2`, 'net/ipv6/conf/all/forwarding 1'])
  })
})

describe('bridged packets', () => {
  const four = 'net/bridge/bridge-nf-call-iptables'
  const six = 'net/bridge/bridge-nf-call-ip6tables'

  it.each([
    ['pass the firewall', { [four]: '1', [six]: '1' }, undefined],
    ['of IPv4 do not', { [four]: '0', [six]: '1' }, 'net.bridge.bridge-nf-call-iptables is 0'],
    ['of IPv6 do not', { [four]: '1', [six]: '0' }, 'net.bridge.bridge-nf-call-ip6tables is 0'],
    ['do not without the module', {}, 'br_netfilter is not loaded'],
  ])('%s', async (_, settings, why) => {
    expect(await bridgeEscape([4, 6], hostWith(settings).ports)).toBe(why)
  })

  it('are asked about for the families of the overlay alone', async () => {
    const { ports } = hostWith({ [four]: '1', [six]: '0' })
    expect([await bridgeEscape([4], ports), await bridgeEscape([], ports)]).toEqual([undefined, undefined])
  })
})
