import { describe, expect, it } from 'vitest'
import { planCleanup, type HostRemains, type SubnetFiles } from '../../../src/cleanup/plan.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { AddressState, LinkState, RouteState, VxlanState } from '../../../src/kernel/kernel.ts'

const VXLAN: VxlanState = {
  vni: 100,
  local: ip('192.168.205.10'),
  underlayIndex: 2,
  port: 8472,
  learning: false,
  gbp: false,
  ttl: 0,
  udpChecksum: false,
  external: false,
}

const link = (index: number, name: string, fields: Partial<LinkState> = {}): LinkState => ({
  ...{ index, name, mac: undefined, mtu: 1450, up: true, carrier: true, loopback: false },
  ...{ kind: undefined, alias: undefined, vxlan: undefined, master: undefined },
  ...fields,
})

const device = (name: string, vni: number, fields: Partial<VxlanState> = {}, alias?: string): LinkState =>
  link(7, name, { kind: 'vxlan', alias, vxlan: { ...VXLAN, vni, ...fields } })

const address = (text: string): AddressState => {
  const [base = '', length] = text.split('/')
  return { linkIndex: 7, ip: ip(base), prefixLength: Number(length), scope: 'global', flags: [] }
}

const route = (destination: string, fields: Partial<RouteState> = {}): RouteState => ({
  destination: prefix(destination),
  ...{
    gateway: undefined,
    metric: 0,
    protocol: '70',
    scope: 'global',
    onlink: false,
    type: 'unicast',
    table: 'main',
    linkIndex: 2,
  },
  ...fields,
})

const NO_FILES: SubnetFiles = {
  path: '/run/subnet.env',
  content: 'none',
  subnets: [],
  networks: [],
  temporaryFiles: [],
}

const NOTHING: HostRemains = {
  ...{ links: [link(1, 'lo'), link(2, 'eth0')], addresses: [], routes: [] },
  ...{ files: NO_FILES, firewall: [], hasPeerFilter: false, peers: undefined },
}

/** The plan for a host with nothing but this. */
const planFor = (state: Partial<HostRemains>) => {
  const links = [...NOTHING.links, ...(state.links ?? [])]
  return planCleanup({ ...NOTHING, ...state, links })
}
const thingsIn = (state: Partial<HostRemains>): readonly string[] =>
  planFor(state).steps.flatMap(({ things }) => things)
const OURS = 'flannel-agent'

describe('planCleanup', () => {
  it('has nothing to do where flanneld has never been', () => {
    expect(planFor({})).toEqual({ steps: [], kept: [] })
  })

  it.each([
    ['flannel.100', 100],
    ['flannel-v6.100', 100],
    ['flan.10000000', 10_000_000],
    ['flan6.10000', 10_000],
  ])('removes %s with our alias', (name, vni) => {
    const { steps, kept } = planFor({ links: [device(name, vni, { learning: true }, OURS)] })
    expect(steps.map(({ action }) => action)).toEqual([{ on: 'kernel', op: { op: 'link.delete', linkIndex: 7 } }])
    expect(kept).toEqual([])
  })

  it.each([
    ['flannel.100', '10.15.64.0/32'],
    ['flannel-v6.100', 'fd00:1::/128'],
  ])('removes %s of upstream, which has no alias but an address of its own', (name, text) => {
    expect(thingsIn({ links: [device(name, 100)], addresses: [address(text)] })).toEqual([
      `device ${name} with its addresses, routes, neighbours and forwarding entries`,
    ])
  })

  it.each([
    ['a bridge of that name', link(7, 'flannel.100', { kind: 'bridge', alias: OURS }), '10.1.0.0/32', /bridge/],
    ['a plain card', link(7, 'flannel.100'), '10.1.0.0/32', /plain/],
    ['another VNI', device('flannel.100', 101, {}, OURS), '10.1.0.0/32', /VNI is 101/],
    ['a short name where the usual one fits', device('flan.100', 100, {}, OURS), '10.1.0.0/32', /VNI is 100/],
    ['learning', device('flannel.100', 100, { learning: true }), '10.1.0.0/32', /alias/],
    ['external mode', device('flannel.100', 100, { external: true }), '10.1.0.0/32', /alias/],
    ['a network on it', device('flannel.100', 100), '10.1.0.1/24', /alias/],
    ['an address of the other family', device('flannel.100', 100), 'fd00:1::/128', /alias/],
    ['an address of the other family', device('flannel-v6.100', 100), '10.1.0.0/32', /alias/],
    ['a VXLAN device named as a TUN device', device('flannel0', 100, {}, OURS), '10.1.0.0/32', /not tun/],
    ['the TUN device of an upstream that runs', link(7, 'flannel0', { kind: 'tun' }), '10.1.0.0/32', /alias/],
  ])('leaves alone, and says so: %s', (_, found, text, reason) => {
    const { steps, kept } = planFor({ links: [found], addresses: [address(text)] })
    expect(steps).toEqual([])
    expect(kept).toEqual([expect.stringMatching(reason)])
  })

  it.each(['flannel', 'flannel.', 'flannel.1x', 'xflannel.100', 'vxlan100', 'flannel0.1'])(
    'says nothing of %s',
    (name) => {
      expect(planFor({ links: [device(name, 100, {}, OURS)] })).toEqual({ steps: [], kept: [] })
    },
  )

  it('removes a TUN device of ours', () => {
    const { steps, kept } = planFor({ links: [link(7, 'flannel0', { kind: 'tun', alias: OURS })] })
    expect([steps.map(({ action }) => action), kept]).toEqual([
      [{ on: 'kernel', op: { op: 'link.delete', linkIndex: 7 } }],
      [],
    ])
  })

  describe('of routes as upstream makes them on other links', () => {
    const BOOT = { protocol: 'boot', linkIndex: 2 } as const
    const to = (destination: string, gateway: string, fields: Partial<RouteState> = {}): RouteState =>
      route(destination, { ...BOOT, gateway: ip(gateway), ...fields })
    const four = to('10.1.0.0/20', '192.168.205.11')
    const six = to('fd00:10:1::/64', 'fd00:205::11', { metric: 1024 })
    const peers = [
      { subnet: prefix('10.1.0.0/20'), publicIp: ip('192.168.205.11') },
      { subnet: prefix('fd00:10:1::/64'), publicIp: ip('fd00:205::11') },
    ]
    const networks = [
      { network: prefix('10.0.0.0/8'), subnetLength: 20 },
      { network: prefix('fd00:10::/32'), subnetLength: 64 },
    ]
    const files = { ...NO_FILES, content: 'subnet', networks } as const

    it('removes those that lead just where a lease says', () => {
      const { steps, kept } = planFor({ routes: [four, six], peers })
      expect(steps.map(({ things }) => things)).toEqual([
        ['route 10.1.0.0/20 via 192.168.205.11 dev eth0'],
        ['route fd00:10:1::/64 via fd00:205::11 dev eth0 metric 1024'],
      ])
      expect(kept).toEqual([])
    })

    it.each([
      ['another gateway', to('10.1.0.0/20', '192.168.205.12')],
      ['another subnet', to('10.2.0.0/20', '192.168.205.11')],
      ['half of the subnet', to('10.1.0.0/21', '192.168.205.11')],
      ['a metric', to('10.1.0.0/20', '192.168.205.11', { metric: 5 })],
      ['another protocol', to('10.1.0.0/20', '192.168.205.11', { protocol: 'static' })],
      ['no gateway', route('10.1.0.0/20', BOOT)],
      ['a gateway said to be on the link', to('10.1.0.0/20', '192.168.205.11', { onlink: true })],
    ])('leaves one alone with %s', (_, found) => {
      expect(planFor({ routes: [found], peers }).steps).toEqual([])
    })

    it('leaves all alone while nobody can be asked, and names what may be one', () => {
      const elsewhere = [to('172.16.0.0/20', '192.168.205.11'), to('10.1.0.0/24', '192.168.205.11')]
      const { steps, kept } = planFor({ routes: [four, six, ...elsewhere], files })
      expect(steps.flatMap(({ things }) => things)).toEqual(['subnet file /run/subnet.env'])
      expect(kept).toEqual([
        expect.stringMatching(/^route 10\.1\.0\.0\/20 .*which leases can tell \(--etcd-endpoints\)$/),
        expect.stringMatching(/^route fd00:10:1::\/64 /),
      ])
      expect(planFor({ routes: [four], files, peers: [] }).kept).toEqual([expect.stringContaining('no lease says')])
    })
  })

  it('removes routes of our protocol wherever they are, and no others', () => {
    const gateway = ip('192.168.205.11')
    const routes = [
      route('10.1.0.0/20', { gateway }),
      route('10.2.0.0/20', { gateway, protocol: 'boot' }),
      route('10.3.0.0/20', { type: 'blackhole', linkIndex: undefined }),
      route('fd00:3::/64', { type: 'blackhole', linkIndex: 1, metric: 1024 }),
      route('10.4.0.0/20', { type: 'unreachable', linkIndex: undefined }),
      route('0.0.0.0/0', { gateway, protocol: 'static' }),
    ]
    const { steps } = planFor({ routes })
    expect(steps.flatMap(({ things }) => things)).toEqual([
      'route 10.1.0.0/20 via 192.168.205.11 dev eth0',
      'blackhole route 10.3.0.0/20',
      'blackhole route fd00:3::/64 metric 1024',
    ])
    expect(steps.map(({ action }) => action)).toMatchObject([
      { op: { op: 'route.delete', type: 'unicast', linkIndex: 2, gateway, protocol: '70' } },
      { op: { type: 'blackhole', metric: 0 } },
      { op: { type: 'blackhole', metric: 1024 } },
    ])
  })

  it('leaves routes to the device that goes, but not to one that stays', () => {
    const onDevice = route('10.1.0.0/20', { gateway: ip('10.1.0.0'), linkIndex: 7 })
    expect(thingsIn({ links: [device('flannel.100', 100, {}, OURS)], routes: [onDevice] })).toHaveLength(1)
    expect(thingsIn({ links: [link(7, 'flannel.100')], routes: [onDevice] })).toEqual([
      'route 10.1.0.0/20 via 10.1.0.0 dev flannel.100',
    ])
  })

  it('takes the invitation to containers away first, and the protection last', () => {
    const things = thingsIn({
      links: [device('flannel.100', 100, {}, OURS)],
      routes: [route('10.3.0.0/20', { type: 'blackhole' })],
      files: {
        ...{ ...NO_FILES, content: 'subnet', temporaryFiles: ['/run/.subnet.env.x.tmp'] },
        statusSocket: '/run/flanneld.sock',
      },
      firewall: ['nftables table ip flannel-ipv4', 'iptables chain nat FLANNEL-POSTRTG (rules: 6)'],
      hasPeerFilter: true,
    })
    expect(things).toEqual([
      'subnet file /run/subnet.env',
      'temporary file /run/.subnet.env.x.tmp',
      'status socket /run/flanneld.sock',
      'blackhole route 10.3.0.0/20',
      expect.stringMatching(/^device flannel\.100 /),
      'peer filter in nftables',
      'nftables table ip flannel-ipv4',
      'iptables chain nat FLANNEL-POSTRTG (rules: 6)',
    ])
  })

  it('leaves a file alone that is no subnet file', () => {
    const files = { ...NO_FILES, path: '/etc/passwd', content: 'other' } as const
    expect(planFor({ files })).toEqual({ steps: [], kept: [expect.stringContaining('/etc/passwd')] })
  })
})
