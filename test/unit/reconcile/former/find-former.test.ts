import { describe, expect, test } from 'vitest'
import type { AddressState, LinkState, RouteState, VxlanState } from '../../../../src/kernel/kernel.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { findFormer, type FormerHost, type PresentFamily } from '../../../../src/reconcile/former/find-former.ts'

const OURS = { kind: 'vxlan', alias: 'flannel-agent' } as const
const [ETH0, ETH1, PRESENT, FORMER] = [2, 3, 7, 8]

const link = (index: number, name: string, fields: Partial<LinkState> = {}): LinkState => ({
  ...{ index, name, mac: undefined, mtu: 1450, up: true, carrier: true, loopback: false },
  ...{ kind: undefined, alias: undefined, vxlan: undefined, master: undefined },
  ...fields,
})
const vxlan = (vni: number): VxlanState => ({
  ...{ vni, local: ip('192.168.0.1'), underlayIndex: ETH0, port: 8472, learning: false, gbp: false, ttl: 0 },
  ...{ udpChecksum: false, external: false },
})
const device = (index: number, vni: number, name = `flannel.${vni}`): LinkState =>
  link(index, name, { ...OURS, vxlan: vxlan(vni) })
const route = (destination: string, linkIndex: number, fields: Partial<RouteState> = {}): RouteState => ({
  ...{ destination: prefix(destination), linkIndex, gateway: undefined, metric: 5, protocol: '70', scope: 'global' },
  ...{ onlink: false, type: 'unicast', table: 'main' },
  ...fields,
})
const address = (linkIndex: number, text: string): AddressState => ({
  ...{ linkIndex, ip: ip(text), prefixLength: 32, scope: 'global', flags: [] },
})

const CARDS = [link(ETH0, 'eth0'), link(ETH1, 'eth1')]
const VXLAN: PresentFamily = {
  ...{ family: 4, device: 'flannel.100', links: [PRESENT, ETH0], network: prefix('10.0.0.0/8') },
}
const VXLAN6: PresentFamily = {
  ...{ family: 6, device: 'flannel-v6.100', links: undefined, network: prefix('fd00:10::/48') },
}

const find = (host: Partial<FormerHost>, present: readonly PresentFamily[] = [VXLAN]) =>
  findFormer(
    { addresses: [], routes: [], ...host, links: [...CARDS, device(PRESENT, 100), ...(host.links ?? [])] },
    present,
  )
const named = (host: Partial<FormerHost>, present?: readonly PresentFamily[]): readonly string[] =>
  find(host, present).things.map(({ name }) => name)

describe('of a former configuration', () => {
  test('our device of another VNI goes, and with it what hangs on it', () => {
    const routes = [route('10.1.0.0/24', FORMER), route('10.2.0.0/24', PRESENT)]
    expect(find({ links: [device(FORMER, 1)], routes }).things).toEqual([
      { family: 4, name: 'device flannel.1', removal: { op: 'link.delete', linkIndex: FORMER } },
    ])
  })

  test('our device of a family that the network has no more goes, one of a family that has not come up stays', () => {
    const links = [device(FORMER, 100, 'flannel-v6.100')]
    expect(named({ links })).toEqual(['device flannel-v6.100'])
    expect(
      named({ links, routes: [route('fd00:10:1::/64', FORMER), route('fd00:10:2::/64', ETH1)] }, [VXLAN, VXLAN6]),
    ).toEqual([])
  })

  test('routes of ours over links that carry none at present go before the devices', () => {
    const routes = [
      route('10.1.0.0/24', ETH1, { gateway: ip('192.168.1.1') }),
      route('10.2.0.0/24', ETH0, { gateway: ip('192.168.0.1') }),
      route('fd00:10:1::/64', ETH0, { gateway: ip('fd00::1') }),
    ]
    expect(named({ links: [device(FORMER, 1)], routes })).toEqual([
      'route 10.1.0.0/24 via 192.168.1.1 dev eth1 metric 5',
      'route fd00:10:1::/64 via fd00::1 dev eth0 metric 5',
      'device flannel.1',
    ])
  })

  test('a backend that keeps no routes leaves none of ours', () => {
    expect(named({ routes: [route('10.2.0.0/24', ETH0)] }, [{ ...VXLAN, device: undefined, links: [] }])).toEqual([
      'route 10.2.0.0/24 dev eth0 metric 5',
      'device flannel.100',
    ])
  })

  test.each<[string, Partial<RouteState>]>([
    ['of another protocol', { protocol: 'static' }],
    ['that leads nowhere', { type: 'blackhole', linkIndex: undefined }],
    ['of another table', { table: '100' }],
    ['that leads over a present link as well', { furtherHops: [{ linkIndex: PRESENT, gateway: undefined }] }],
  ])('a route %s stays', (_, fields) => {
    expect(named({ routes: [route('10.1.0.0/24', ETH1, fields)] })).toEqual([])
  })
})

describe('a device that is not proved ours', () => {
  const upstream = (vni: number): LinkState => ({ ...device(FORMER, vni), alias: undefined })

  test('stays, and is named', () => {
    const { things, unproven } = find({ links: [upstream(1)] })
    expect(things).toEqual([])
    expect(unproven).toMatchObject([
      { link: { name: 'flannel.1' }, why: 'it has not the alias flannel-agent', inTheWay: undefined },
    ])
  })

  test.each([
    ['an address in our network', { addresses: [address(FORMER, '10.1.0.0')] }, 'address 10.1.0.0/32'],
    ['a route in our network', { routes: [route('10.1.0.0/24', FORMER, { protocol: 'boot' })] }, 'route 10.1.0.0/24'],
    ['an address elsewhere', { addresses: [address(FORMER, '172.16.0.0'), address(PRESENT, '10.2.0.0')] }, undefined],
  ])('is in the way with %s', (_, host, inTheWay) => {
    expect(find({ links: [upstream(1)], ...host }).unproven[0]?.inTheWay).toBe(inTheWay)
  })

  test.each([
    ['our alias under another name', { ...device(FORMER, 1), name: 'vx1' }, ['vx1']],
    ['our alias and the name for another VNI', { ...device(FORMER, 1), name: 'flannel.2' }, ['flannel.2']],
    [
      'another kind with our name and alias',
      link(FORMER, 'flannel.1', { kind: 'bridge', alias: 'flannel-agent' }),
      ['flannel.1'],
    ],
    ['another kind with our name', link(FORMER, 'flannel.1', { kind: 'bridge' }), []],
    ['the present one under another name', { ...device(PRESENT, 100), name: 'mine0' }, []],
    ['the present one, whatever its alias', { ...device(PRESENT, 100), alias: undefined }, []],
  ])('has %s', (_, found, names) => {
    const { things, unproven } = find({ links: [found] })
    expect([things, unproven.map(({ link: { name } }) => name)]).toEqual([[], names])
  })
})
