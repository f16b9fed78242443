import { describe, expect, it } from 'vitest'
import { otherNetworks, seenHost, type Around } from '../../../../src/host/underlay/other-networks.ts'
import type { AddressState, LinkState, RouteState } from '../../../../src/kernel/kernel.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { FakeTables } from '../../../fake/fake-tables.ts'

const OVERLAY = {
  family: 4,
  network: prefix('10.15.0.0/16'),
  subnetLength: 20,
  subnetMin: ip('10.15.16.0'),
  subnetMax: ip('10.15.240.0'),
} as const
const AROUND: Around = { overlay: OVERLAY, own: [prefix('10.15.64.0/20')], underlay: undefined, resolvers: [] }

class Host {
  readonly #tables = new FakeTables(() => undefined)

  link(name: string, address: string | undefined, fields: Partial<LinkState> = {}): this {
    const { index } = this.#tables.addLink({ name, ...fields })
    if (address === undefined) return this
    const [base = '', length = ''] = address.split('/')
    const added = { linkIndex: index, ip: ip(base), prefixLength: Number(length), scope: 'global', flags: [] } as const
    this.#tables.addresses.set(address, added satisfies AddressState)
    return this
  }

  route(destination: string, fields: Partial<RouteState>): this {
    const plain = {
      gateway: undefined,
      metric: 0,
      protocol: 'boot',
      scope: 'link',
      onlink: false,
      type: 'unicast',
    } as const
    const [linkIndex] = [...this.#tables.links.keys()].slice(-1)
    this.#tables.addRoute({ destination: prefix(destination), table: 'main', linkIndex, ...plain, ...fields })
    return this
  }

  found(around: Partial<Around> = {}): readonly string[] {
    return otherNetworks(this.read(), { ...AROUND, ...around }).map((one) => `${one.prefix.text} ${one.what}`)
  }

  read() {
    const { links, addresses, routes } = this.#tables
    return { links: [...links.values()], addresses: [...addresses.values()], routes: [...routes.values()] }
  }
}

const host = (): Host => new Host()

describe('other networks of a host', () => {
  it('are those in the range of the overlay that it has an address in, or a route to over a link', () => {
    const found = host().link('eth1', '10.15.130.7/24').link('eth2', '10.16.0.1/16').link('wg0', '10.15.200.1/32')
    expect(found.route('10.15.210.0/24', {}).found()).toEqual([
      '10.15.130.0/24 the network of eth1',
      '10.15.200.1/32 an address of wg0',
      '10.15.210.0/24 a network behind wg0',
    ])
  })

  it('are default gateways and resolvers in that range, however they are reached', () => {
    const found = host()
      .link('eth0', '192.168.1.2/24')
      .route('0.0.0.0/0', { gateway: ip('10.15.0.1') })
    expect(found.found({ resolvers: [ip('10.15.3.53'), ip('9.9.9.9')] })).toEqual([
      '10.15.0.1/32 a default gateway',
      '10.15.3.53/32 a resolver',
    ])
  })

  it('are not the bridge of our containers, what is behind it, our device, nor the underlay', () => {
    const ours = host().link('cni0', '10.15.64.1/20', { kind: 'bridge' }).route('10.15.64.9/32', {})
    expect(ours.link('flannel.1', '10.15.64.0/32').found()).toEqual([])
    expect(
      host()
        .link('eth0', '10.15.1.2/24')
        .found({ underlay: { prefix: prefix('10.15.1.0/24') } }),
    ).toEqual([])
  })

  it('are not those that hold the whole overlay, and are those that hold a part of it', () => {
    expect(host().link('eth1', '10.3.0.1/8').found()).toEqual([])
    expect(host().link('br-1', '10.15.0.1/18').found()).toEqual(['10.15.0.0/18 the network of br-1'])
  })

  it("do not count routes that lead to peers, ours and upstream's, which stand", () => {
    const peers = host()
      .link('flannel.1', undefined)
      .route('10.15.96.0/20', { gateway: ip('10.15.96.0'), onlink: true })
      .route('10.15.112.0/20', { gateway: ip('10.15.112.0'), protocol: '70' })
      .route('10.15.128.0/20', { gateway: ip('192.168.1.9') })
    expect(peers.found()).toEqual([])
    expect(Array.from(seenHost(peers.read(), 4).standing, ({ text }) => text)).toEqual([
      '10.15.96.0/20',
      '10.15.112.0/20',
    ])
  })
})
