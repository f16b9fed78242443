import { describe, expect, it } from 'vitest'
import {
  bestAddress,
  chooseUnderlay,
  describeCandidates,
  NoInterfaceError,
  selectUnderlay,
  type HostAddresses,
  type InterfaceChoice,
} from '../../../../src/host/underlay/underlay.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import type { AddressState, LinkState, RouteState } from '../../../../src/kernel/kernel.ts'
import type { AddressFlag, Scope } from '../../../../src/kernel/words.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { NO_CHOICE, overlayOf } from '../../../fake/samples.ts'

const link = (index: number, name: string): LinkState => ({
  index,
  name,
  mac: undefined,
  mtu: 1500,
  up: true,
  carrier: true,
  loopback: name === 'lo',
  kind: undefined,
  alias: undefined,
  vxlan: undefined,
  master: undefined,
})

const address = (
  linkIndex: number,
  text: string,
  flags: readonly AddressFlag[] = ['permanent'],
  scope: Scope = 'global',
): AddressState => ({
  linkIndex,
  ip: ip(text),
  prefixLength: 24,
  scope,
  flags,
})

const route = (destination: string, linkIndex: number | undefined, metric = 0): RouteState => ({
  destination: prefix(destination),
  gateway: ip('192.168.1.1'),
  metric,
  protocol: 'boot',
  scope: 'global',
  onlink: false,
  type: 'unicast',
  table: 'main',
  linkIndex,
})

/** As the walkthrough's machines: NAT on eth0, with the default route; the hosts' own network on eth1. */
const IPV4 = { family: 4, leader: 4 } as const

const HOST: HostAddresses = {
  links: [link(1, 'lo'), link(2, 'eth0'), link(3, 'eth1'), link(4, 'docker0'), link(5, 'spare')],
  addresses: [
    address(1, '127.0.0.1', ['permanent'], 'host'),
    address(2, '10.0.2.15'),
    address(3, '192.168.205.10'),
    address(3, '192.168.205.110'),
    address(4, '172.17.0.1'),
    address(3, 'fd00::10'),
  ],
  routes: [route('10.0.2.0/24', 2), route('0.0.0.0/0', 3, 100), route('0.0.0.0/0', 2, 0)],
}

function choose(choice: Partial<InterfaceChoice>, host: Partial<typeof HOST> = {}): string {
  const found = selectUnderlay({ ...HOST, ...host }, { ...NO_CHOICE, ...choice }, IPV4)
  return `${found.link.name} ${found.address.text} ${found.publicIp.text}`
}

describe('selectUnderlay without --iface', () => {
  it('takes that of the default route with the lowest metric', () => {
    expect(choose({})).toBe('eth0 10.0.2.15 10.0.2.15')
    expect(choose({}, { routes: HOST.routes.slice(0, 2) })).toBe('eth1 192.168.205.10 192.168.205.10')
  })

  it('publishes --public-ip and still sends from its own address', () => {
    expect(choose({ publicIps: new Map([[4, ip('203.0.113.7')]]) })).toBe('eth0 10.0.2.15 203.0.113.7')
  })

  it('takes the card with --public-ip, or with --public-ipv6, wherever the default route leads', () => {
    const publicIps = (...texts: readonly string[]): Partial<InterfaceChoice> => ({
      publicIps: new Map(texts.map((text) => [ip(text).family, ip(text)])),
    })
    expect(choose(publicIps('192.168.205.110'))).toBe('eth1 192.168.205.110 192.168.205.110')
    expect(choose(publicIps('fd00::10'))).toBe('eth1 192.168.205.10 192.168.205.10')
    expect(choose(publicIps('fd00::10', '10.0.2.15'))).toBe('eth0 10.0.2.15 10.0.2.15')
    expect(choose({ ...publicIps('192.168.205.110'), ifaces: ['eth0'] })).toBe('eth0 10.0.2.15 192.168.205.110')
  })

  it('sends from the IPv6 address that --public-ipv6 names', () => {
    const addresses = [...HOST.addresses, address(3, 'fd00::20')]
    const choice = { ...NO_CHOICE, publicIps: new Map([[6, ip('fd00::20')] as const]) }
    expect(selectUnderlay({ ...HOST, addresses }, choice, { family: 6, leader: 4 }).address.text).toBe('fd00::20')
  })

  it('keeps the address that peers know, while the host has it, though a VPN has the default route', () => {
    const known = (...texts: readonly string[]): string =>
      selectUnderlay(HOST, NO_CHOICE, { ...IPV4, known: texts.map(ip) }).address.text
    expect(known('fd00::10', '192.168.205.110')).toBe('192.168.205.110')
    expect(known('192.168.205.77')).toBe('10.0.2.15')
  })

  it('says of which interface the address is missing', () => {
    const addresses = HOST.addresses.filter(({ linkIndex }) => linkIndex !== 2)
    expect(() => choose({}, { addresses })).toThrow('eth0, which has the default route, has no usable IPv4 address')
  })

  it.each([
    ['there is none', []],
    ['it leads nowhere', [route('0.0.0.0/0', undefined)]],
    ['its link is gone', [route('0.0.0.0/0', 99)]],
    ['it is of the other family', [route('::/0', 3)]],
  ])('says so when %s', (_, routes) => {
    expect(() => choose({}, { routes })).toThrow('there is no default IPv4 route')
  })
})

describe('selectUnderlay with --iface', () => {
  it('takes it by name, or by any of its addresses', () => {
    expect(choose({ ifaces: ['eth1'] })).toBe('eth1 192.168.205.10 192.168.205.10')
    expect(choose({ ifaces: ['192.168.205.10'] })).toBe('eth1 192.168.205.10 192.168.205.10')
    expect(choose({ ifaces: ['192.168.205.110'] })).toBe('eth1 192.168.205.110 192.168.205.110')
  })

  it('takes it by any of its other names', () => {
    const links = HOST.links.map((one) => (one.name === 'eth1' ? { ...one, altNames: ['enp0s8', 'hosts'] } : one))
    expect(choose({ ifaces: ['hosts'] }, { links })).toContain('eth1 ')
    expect(choose({ ifaceRegexes: [/^enp/] }, { links })).toContain('eth1 ')
  })

  it('takes the first that fits, in the order given', () => {
    expect(choose({ ifaces: ['eth7', 'spare', '10.9.9.9', 'eth1', 'eth0'] })).toContain('eth1 ')
  })

  it('does not take the loopback address, unless another is published', () => {
    expect(() => choose({ ifaces: ['lo'] })).toThrow('--iface fits none: lo has no usable IPv4 address')
    expect(choose({ ifaces: ['lo', 'eth1'] })).toContain('eth1 ')
    expect(choose({ ifaces: ['lo'], publicIps: new Map([[4, ip('203.0.113.7')]]) })).toContain('lo ')
  })

  it('does not take an IPv6 address where IPv4 is needed', () => {
    expect(choose({ ifaces: ['fd00::10', 'eth0'] })).toContain('eth0 ')
  })

  it('never falls back to the default route', () => {
    expect(() => choose({ ifaces: ['eth7'] })).toThrow(NoInterfaceError)
  })

  it('lists what there is to choose from, when nothing fits', () => {
    expect(() => choose({ ifaces: ['eth7', '10.9.9.9'] })).toThrow(
      'no underlay with an IPv4 address: --iface fits none: eth7 is not there, ' +
        '10.9.9.9 is not there. Candidates: ' +
        'eth0 (10.0.2.15), eth1 (192.168.205.10, 192.168.205.110), docker0 (172.17.0.1)',
    )
  })

  it('says that there is nothing to choose from', () => {
    expect(() => choose({ ifaces: ['eth7'] }, { links: [link(1, 'lo')] })).toThrow(/Candidates: none$/)
  })
})

describe('selectUnderlay with --iface-regex', () => {
  it.each<[string, readonly RegExp[], string]>([
    ['by name', [/^eth1$/], 'eth1 192.168.205.10'],
    ['by an address, and takes that', [/\.110$/], 'eth1 192.168.205.110'],
    ['the first by its index', [/^eth/], 'eth0 10.0.2.15'],
    ['by an address before one by name', [/0|^docker/], 'eth0 10.0.2.15'],
    ['an address further on rather than a name', [/^eth0$|^172\./], 'docker0 172.17.0.1'],
    ['by an address of the other family last', [/^fd00:/], 'eth1 192.168.205.10'],
    ['the expressions in their order', [/^wlan/, /^docker/, /^eth/], 'docker0 172.17.0.1'],
    ['one that has an address', [/^(spare|eth1)$/], 'eth1 192.168.205.10'],
    ['anything but loopback', [/^/], 'eth0 10.0.2.15'],
  ])('takes %s', (_, ifaceRegexes, expected) => {
    expect(choose({ ifaceRegexes })).toContain(`${expected} `)
  })

  it('comes after --iface, and before --iface-can-reach', () => {
    const reach = { linkIndex: 4, gateway: undefined, source: undefined }
    const choice = { ifaceRegexes: [/^eth1$/], ifaceCanReach: ip('9.9.9.9') }
    expect(choose({ ...choice, ifaces: ['eth0'] }, { reach })).toContain('eth0 ')
    expect(choose({ ...choice, ifaces: ['eth7'] }, { reach })).toContain('eth1 ')
    expect(choose({ ...choice, ifaceRegexes: [/nothing/] }, { reach })).toContain('docker0 ')
  })

  it('never takes our own device, nor the default route instead', () => {
    const links = [...HOST.links, link(6, 'flannel.1')]
    const addresses = [...HOST.addresses, address(6, '10.5.0.0')]
    expect(() => choose({ ifaceRegexes: [/^flannel/] }, { links, addresses })).toThrow(
      '--iface-regex ^flannel matches none. Candidates: eth0 (10.0.2.15)',
    )
  })

  it('never takes a device of ours that has another name', () => {
    const links = [...HOST.links, { ...link(6, 'tunnel0'), alias: 'flannel-agent' }]
    const addresses = [...HOST.addresses, address(6, '10.5.0.0')]
    expect(() => choose({ ifaceRegexes: [/^tunnel/] }, { links, addresses })).toThrow(
      '--iface-regex ^tunnel matches none. Candidates: eth0 (10.0.2.15)',
    )
  })

  it('takes the IPv6 address that it matches on the interface of IPv4', () => {
    const addresses = [...HOST.addresses, address(3, 'fd00::20')]
    const wanted = { family: 6, leader: 4 } as const
    const found = (ifaceRegexes: readonly RegExp[]) =>
      selectUnderlay({ ...HOST, addresses }, { ...NO_CHOICE, ifaceRegexes }, wanted).address.text
    expect(found([/^eth1$/])).toBe('fd00::10')
    expect(found([/^eth1$/, /::20$/])).toBe('fd00::20')
  })

  it('says what it was asked for, and nothing else', () => {
    const search = /^no underlay with an IPv4 address: (.*)\. Candidates: /
    const words = (choice: Partial<InterfaceChoice>): string | undefined => {
      try {
        return choose(choice)
      } catch (error) {
        return error instanceof NoInterfaceError ? search.exec(error.message)?.[1] : String(error)
      }
    }
    const [ifaces, ifaceRegexes, ifaceCanReach] = [['eth7', 'spare'], [/^wlan/, /^ib/], ip('9.9.9.9')]
    const names = '--iface fits none: eth7 is not there, spare has no usable IPv4 address'
    const expressions = '--iface-regex ^wlan, ^ib matches none'
    const reach = '--iface-can-reach 9.9.9.9 leads through none'
    expect(words({ ifaces })).toBe(names)
    expect(words({ ifaceRegexes })).toBe(expressions)
    expect(words({ ifaceCanReach })).toBe(reach)
    expect(words({ ifaces, ifaceRegexes, ifaceCanReach })).toBe(`${names}; ${expressions}; ${reach}`)
  })
})

describe('selectUnderlay with --iface-can-reach', () => {
  const ifaceCanReach = ip('192.168.205.200')
  const reach = (linkIndex: number, source?: string) => ({
    reach: { linkIndex, gateway: undefined, source: source === undefined ? undefined : ip(source) },
  })

  it("takes the interface of the kernel's route, and its source address", () => {
    expect(choose({ ifaceCanReach }, reach(3, '192.168.205.110'))).toContain('eth1 192.168.205.110 ')
    expect(choose({ ifaceCanReach }, reach(3))).toContain('eth1 192.168.205.10 ')
    expect(choose({ ifaceCanReach }, reach(3, 'fd00::10'))).toContain('eth1 192.168.205.10 ')
  })

  it('takes lo where packets would come from an address on it, as with BGP to the host', () => {
    const addresses = [...HOST.addresses, { ...address(1, '10.255.0.1'), prefixLength: 32 }]
    expect(choose({ ifaceCanReach }, { ...reach(5, '10.255.0.1'), addresses })).toContain('lo 10.255.0.1 ')
  })

  it.each([
    ['there is no route', {}],
    ['it leads to the host itself', reach(1, '127.0.0.1')],
    ['its interface has no address', reach(5)],
  ])('says so when %s', (_, host) => {
    expect(() => choose({ ifaceCanReach }, host)).toThrow('--iface-can-reach 192.168.205.200 leads through none')
  })
})

describe('an address inside Network', () => {
  const overlays = [overlayOf('{"Network":"10.5.0.0/16","SubnetMin":"10.5.16.0"}')]
  const links = [
    ...HOST.links,
    { ...link(6, 'flannel.100'), alias: 'flannel-agent' },
    { ...link(7, 'cni0'), kind: 'bridge' },
  ]
  const bridge = address(7, '10.5.20.1')
  const addresses = [...HOST.addresses, { ...address(6, '10.5.20.0'), prefixLength: 32 }, bridge]
  const select = (choice: Partial<InterfaceChoice>, host: Partial<HostAddresses> = {}): string =>
    selectUnderlay({ ...HOST, links, addresses, ...host }, { ...NO_CHOICE, ...choice }, { ...IPV4, overlays }).address
      .text
  const candidates = 'Candidates: eth0 (10.0.2.15), eth1 (192.168.205.10, 192.168.205.110), docker0 (172.17.0.1)'

  it.each<[string, Partial<InterfaceChoice>, string]>([
    ['by name', { ifaces: ['cni0'] }, '10.5.20.1 of cni0 lies inside Network 10.5.0.0/16'],
    ['by address', { ifaces: ['10.5.20.1'] }, '10.5.20.1 of cni0 lies inside Network 10.5.0.0/16'],
    ['by the name of our device', { ifaces: ['flannel.100'] }, 'flannel.100 is a device of the overlay'],
    ['by an expression', { ifaceRegexes: [/^cni/] }, '--iface-regex ^cni matches none'],
    ['by what is to be published', { publicIps: new Map([[4, ip('10.5.20.1')]]) }, '--public-ip 10.5.20.1 lies inside'],
    ['by NAT', { publicIps: new Map([[4, ip('10.5.99.1')]]) }, '--public-ip 10.5.99.1 lies inside Network 10.5.0.0/16'],
  ])('is no underlay when it is asked for %s, and the others are named', (_, choice, reason) => {
    expect(() => select(choice)).toThrow(reason)
    expect(() => select(choice)).toThrow(candidates)
  })

  it('is no underlay when routes lead over it', () => {
    const reach = { linkIndex: 7, gateway: undefined, source: ip('10.5.20.1') }
    const reason = 'leads through none, for 10.5.20.1 of cni0 lies inside Network 10.5.0.0/16'
    expect(() => select({ ifaceCanReach: ip('10.5.20.9') }, { reach })).toThrow(reason)
    const routes = [{ ...route('0.0.0.0/0', 7), gateway: undefined }]
    expect(() => select({}, { routes })).toThrow('10.5.20.1 of cni0 lies inside Network 10.5.0.0/16')
  })

  it('leaves the other addresses of its card', () => {
    const both = [address(7, '10.5.20.1'), address(7, '192.168.9.1')]
    expect(select({ ifaces: ['cni0'] }, { addresses: both })).toBe('192.168.9.1')
  })

  it('is one where Network was laid over the network of the hosts: a larger one, or one with a gateway', () => {
    const larger = { ...bridge, prefixLength: 20 }
    expect(select({ ifaces: ['cni0'] }, { addresses: [larger] })).toBe('10.5.20.1')
    const routes = [{ ...route('0.0.0.0/0', 7), gateway: ip('10.5.20.254') }]
    expect(select({}, { routes })).toBe('10.5.20.1')
  })

  it('is one on a card, also without a gateway: a private network between hosts is often no larger than a subnet', () => {
    const own = [address(2, '10.5.20.11')]
    expect(select({ ifaces: ['eth0'] }, { addresses: own })).toBe('10.5.20.11')
    const onLo = [{ ...address(1, '10.5.20.11'), prefixLength: 32 }]
    expect(select({ ifaces: ['lo'] }, { addresses: onLo })).toBe('10.5.20.11')
  })

  it('is one where no node gets a subnet: below SubnetMin', () => {
    expect(select({ ifaces: ['cni0'] }, { addresses: [address(7, '10.5.3.1')] })).toBe('10.5.3.1')
  })
})

describe('the address of the other family', () => {
  const wanted = { family: 6, leader: 4 } as const
  const addresses = [
    ...HOST.addresses,
    address(2, 'fd00::2'),
    address(3, 'fd00::11'),
    address(4, 'fe80::4', [], 'link'),
  ]
  const beside = (ifaces: readonly string[]): string =>
    selectUnderlay({ ...HOST, addresses }, { ...NO_CHOICE, ifaces }, wanted).address.text

  it('is on the same interface: the one asked for, else the best', () => {
    expect(beside(['eth1'])).toBe('fd00::10')
    expect(beside(['eth1', 'fd00::11'])).toBe('fd00::11')
    expect(beside(['eth1', 'fd00::2'])).toBe('fd00::10')
  })

  it('means something beyond the link, also where an expression matches one that does not', () => {
    const choice = { ...NO_CHOICE, ifaceRegexes: [/^(192\.168|fe80)/] }
    const own = [address(3, 'fe80::10', ['permanent'], 'link'), address(3, 'fd00::12', [])]
    const host = { ...HOST, addresses: [...HOST.addresses.filter(({ ip: { family } }) => family === 4), ...own] }
    expect(selectUnderlay(host, choice, wanted).address.text).toBe('fd00::12')
    expect(() => selectUnderlay({ ...host, addresses: host.addresses.slice(0, -1) }, choice, wanted)).toThrow(
      'has no IPv6 address that other hosts could reach',
    )
    expect(() => beside(['docker0'])).toThrow(
      /^docker0 has no IPv6 address that other hosts could reach\. Candidates: eth0/,
    )
  })
})

describe('the interface found', () => {
  const found = (choice: Partial<InterfaceChoice>, host: Partial<typeof HOST> = {}) =>
    selectUnderlay({ ...HOST, ...host }, { ...NO_CHOICE, ...choice }, IPV4)

  it('has the network of its address, and the gateways of default routes through it, and no others', () => {
    const routes = [...HOST.routes, { ...route('0.0.0.0/0', 2, 9), gateway: ip('10.0.2.3') }, route('10.9.0.0/16', 2)]
    const { prefix: network, gateways } = found({}, { routes })
    expect(network.text).toBe('10.0.2.0/24')
    expect(gateways.map(({ text }) => text)).toEqual(['192.168.1.1', '10.0.2.3'])
  })

  it('has no gateway where there is none', () => {
    expect(found({ ifaces: ['docker0'] }).gateways).toEqual([])
    expect(found({}, { routes: [{ ...route('0.0.0.0/0', 2), gateway: undefined }] }).gateways).toEqual([])
  })
})

describe('bestAddress', () => {
  const best = (...addresses: readonly AddressState[]): string | undefined =>
    bestAddress(addresses, link(2, 'eth0'), addresses[0]?.ip.family ?? 4)?.ip.text

  it('takes a global before a link-local, whatever else', () => {
    expect(best(address(2, '169.254.0.1', ['permanent'], 'link'), address(2, '10.0.0.1', []))).toBe('10.0.0.1')
    expect(best(address(2, '169.254.0.1', ['permanent'], 'link'))).toBe('169.254.0.1')
  })

  it('takes a permanent before a dynamic', () => {
    expect(best(address(2, '10.0.0.1', []), address(2, '10.0.0.2', ['permanent']))).toBe('10.0.0.2')
  })

  it('takes the first of equals', () => {
    expect(best(address(2, '10.0.0.1'), address(2, '10.0.0.2'))).toBe('10.0.0.1')
  })

  it('takes a secondary IPv4 address, such as a VIP, after the one that it is secondary to, which DHCP may have given', () => {
    expect(best(address(2, '10.0.0.1', ['permanent', 'temporary']), address(2, '10.0.0.2', []))).toBe('10.0.0.2')
  })

  it('takes the widest network first, and a /32 last, whichever is permanent and stands first', () => {
    const of = (text: string, prefixLength: number, flags?: readonly AddressFlag[]): AddressState => ({
      ...address(2, text, flags),
      prefixLength,
    })
    expect(best(of('10.0.0.200', 32), of('10.0.0.1', 24, []))).toBe('10.0.0.1')
    expect(best(of('10.0.0.1', 24), of('10.0.8.1', 20))).toBe('10.0.8.1')
    expect(best(of('10.0.8.1', 20), of('10.0.0.1', 24))).toBe('10.0.8.1')
    expect(best(of('fd00::200', 128), of('fd00::1', 64, []))).toBe('fd00::1')
  })

  it('takes one that peers know, narrow and deprecated as it may be, but no duplicate', () => {
    const known = [ip('10.0.0.200')]
    const all = (flag: AddressFlag): AddressState[] => [
      address(2, '10.0.0.1'),
      { ...address(2, '10.0.0.200', [flag]), prefixLength: 32 },
    ]
    const found = (flag: AddressFlag) => bestAddress(all(flag), link(2, 'eth0'), 4, known)?.ip.text
    expect(found('deprecated')).toBe('10.0.0.200')
    expect(found('dadfailed')).toBe('10.0.0.1')
  })

  it('takes a lasting before a temporary IPv6 address', () => {
    expect(best(address(2, 'fd00::1', ['permanent', 'temporary']), address(2, 'fd00::2', ['permanent']))).toBe(
      'fd00::2',
    )
  })

  it.each<[string, AddressFlag]>([
    ['deprecated', 'deprecated'],
    ['tentative', 'tentative'],
    ['duplicate', 'dadfailed'],
  ])('never takes a %s one', (_, flag) => {
    expect(best(address(2, 'fd00::1', ['permanent', flag]))).toBeUndefined()
    expect(best(address(2, 'fd00::1', ['permanent', flag]), address(2, 'fd00::2', []))).toBe('fd00::2')
  })

  it('looks at its own link only', () => {
    expect(best(address(3, '10.0.0.1'))).toBeUndefined()
    expect(bestAddress([address(3, '10.0.0.1')], undefined, 4)).toBeUndefined()
  })
})

describe('chooseUnderlay', () => {
  it('asks the kernel', async () => {
    const kernel = new FakeKernel()
    const { index } = kernel.addCard('eth0', { mtu: 9000 })
    kernel.outside({ op: 'address.add', linkIndex: index, ip: ip('192.168.205.10'), prefixLength: 24 })
    kernel.tables.addRoute(route('0.0.0.0/0', index))
    const found = await chooseUnderlay(kernel, NO_CHOICE, IPV4, new AbortController().signal)
    expect(found).toMatchObject({ link: { name: 'eth0', mtu: 9000 }, address: ip('192.168.205.10') })
  })
})

describe('describeCandidates', () => {
  it('lists interfaces with their addresses of the family, without loopback, our own device and those without any', async () => {
    const kernel = new FakeKernel()
    const { index } = kernel.addCard('eth0')
    kernel.addCard('eth1')
    const own = ['flannel.100', 'flan.16777215', 'flannel-v6.9', 'flan6.10000'].map((name) => kernel.addCard(name))
    const other = kernel.addCard('flannel.lan')
    for (const text of ['192.168.205.10', 'fd00::10'])
      kernel.outside({ op: 'address.add', linkIndex: index, ip: ip(text), prefixLength: 24 })
    for (const { index: ownIndex } of own)
      kernel.outside({ op: 'address.add', linkIndex: ownIndex, ip: ip('10.20.0.0'), prefixLength: 32 })
    kernel.outside({ op: 'address.add', linkIndex: other.index, ip: ip('10.9.0.1'), prefixLength: 24 })
    kernel.tables.addresses.set('of no use', address(index, 'fd00::20', ['permanent', 'dadfailed']))
    const { signal } = new AbortController()
    expect(await describeCandidates(kernel, 4, signal)).toBe('eth0 (192.168.205.10), flannel.lan (10.9.0.1)')
    expect(await describeCandidates(kernel, 6, signal)).toBe('eth0 (fd00::10, fd00::20, not usable)')
  })
})
