import { expect, test } from 'vitest'
import { bridgeSubnets } from '../../../src/host/bridge-subnets.ts'
import type { AddressState, LinkState } from '../../../src/kernel/kernel.ts'
import { ip } from '../../../src/net/ip.ts'

const link = (index: number, name: string, kind: string | undefined = 'bridge'): LinkState => ({
  ...{ index, name, kind, mac: undefined, mtu: 1500, up: true, carrier: true, loopback: false },
  ...{ alias: undefined, vxlan: undefined, master: undefined },
})

const on = (linkIndex: number, ...addresses: readonly string[]): readonly AddressState[] =>
  addresses.map((text) => {
    const [address = '', length] = text.split('/')
    return { linkIndex, ip: ip(address), prefixLength: Number(length), scope: 'global', flags: [] }
  })

const found = (links: readonly LinkState[], addresses: readonly AddressState[]): readonly string[] =>
  bridgeSubnets(links, addresses).map(({ text }) => text)

test('the subnets of bridges are those whose first address they have, of both families', () => {
  const addresses = [
    ...on(2, '10.1.16.1/20', '10.2.0.5/24', 'fd00:10:0:1::1/64', 'fe80::1/64'),
    ...on(3, '10.3.0.1/24'),
    ...on(4, '10.4.0.1/24'),
  ]
  const links = [link(2, 'mynet0'), link(3, 'eth0.5', 'vlan'), link(4, 'veth1', 'veth')]
  expect(found(links, addresses)).toEqual(['10.1.16.0/20', 'fd00:10:0:1::/64', 'fe80::/64'])
})

test("Docker's own bridge and CNI's come first, those of other networks do not count", () => {
  const names = ['mynet0', 'cni0', 'docker0', 'br-0123456789ab', 'virbr0', 'lxdbr0', 'cni-podman0', 'podman1', 'br-lan']
  const links = names.map((name, at) => link(at + 2, name))
  expect(
    found(
      links,
      links.flatMap(({ index }) => on(index, `10.${index}.0.1/24`)),
    ),
  ).toEqual(['10.4.0.0/24', '10.3.0.0/24', '10.2.0.0/24', '10.10.0.0/24'])
})

test("Docker's default network is not the subnet of this host: every host has it", () => {
  const links = [link(2, 'docker0')]
  expect(found(links, on(2, '172.17.0.1/16'))).toEqual([])
  expect(found(links, on(2, '172.17.1.1/24'))).toEqual(['172.17.1.0/24'])
})
