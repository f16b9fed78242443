import { expect, test } from 'vitest'
import { readHost } from '../../../../src/host/underlay/underlay.ts'
import { wayToPeers } from '../../../../src/host/underlay/way-to-peers.ts'
import type { RouteState } from '../../../../src/kernel/kernel.ts'
import { ip, ipFromInteger, type Ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { NO_CHOICE } from '../../../fake/samples.ts'

const { signal } = new AbortController()

/** A host with BGP on two cards, one of which carries large packets. */
function host(): { readonly kernel: FakeKernel; readonly asked: Ip[]; route: (to: string, ...by: string[]) => void } {
  const kernel = new FakeKernel()
  const asked: Ip[] = []
  for (const [name, mtu] of [
    ['big', 9000],
    ['small', 1500],
  ] as const)
    kernel.addCard(name, { mtu })
  kernel.addCard('dummy0', { kind: 'dummy', mtu: 1280 })
  const lookup = kernel.lookup.bind(kernel)
  kernel.lookup = (destination, stop) => {
    asked.push(destination)
    return lookup(destination, stop)
  }
  const route = (to: string, ...by: readonly string[]): void => {
    const [first, ...others] = by.map((name) => ({ linkIndex: kernel.indexOf(name), gateway: ip('169.254.0.1') }))
    const plain = { metric: 0, protocol: 'bgp', scope: 'global', onlink: true, type: 'unicast', table: 'main' } as const
    const hops: Partial<RouteState> = others.length === 0 ? {} : { furtherHops: others }
    kernel.tables.addRoute({
      ...plain,
      destination: prefix(to),
      gateway: first?.gateway,
      linkIndex: first?.linkIndex,
      ...hops,
    })
  }
  return { kernel, asked, route }
}

async function mtu(kernel: FakeKernel, peers: readonly Ip[]): Promise<number> {
  const around = await readHost(kernel, NO_CHOICE, { family: 4, leader: 4 }, signal)
  return (await wayToPeers(kernel, around, 4, peers, signal)).mtu
}

test('the MTU is that of the card that peers are reached through, the smallest where they differ', async () => {
  const { kernel, route } = host()
  route('10.255.0.0/24', 'big')
  route('10.255.1.0/24', 'small')
  route('10.255.2.0/24', 'big', 'small')
  route('10.255.3.0/24', 'dummy0')
  expect(await mtu(kernel, [ip('10.255.0.1')])).toBe(9000)
  expect(await mtu(kernel, [ip('10.255.0.1'), ip('10.255.1.1')])).toBe(1500)
  expect(await mtu(kernel, [ip('10.255.0.1'), ip('10.255.2.1')]), 'one of several next hops').toBe(1500)
  expect(await mtu(kernel, [ip('10.255.0.1'), ip('10.255.3.1')]), 'a dummy carries nothing').toBe(9000)
})

test('without peers the default routes say it, and without those what every card carries', async () => {
  const { kernel, route } = host()
  expect(await mtu(kernel, [])).toBe(1500)
  route('0.0.0.0/0', 'big')
  expect(await mtu(kernel, [])).toBe(9000)
  expect(await mtu(kernel, [ip('10.255.0.1')])).toBe(9000)
})

test('rules that send packets elsewhere than the main table are asked of the kernel', async () => {
  const { kernel, route } = host()
  route('10.255.0.0/24', 'big')
  kernel.lookup = () =>
    Promise.resolve({ linkIndex: kernel.indexOf('small') ?? 0, gateway: undefined, source: undefined })
  expect(await mtu(kernel, [ip('10.255.0.1')])).toBe(1500)
})

test('ten thousand peers cost one question of the kernel for each card', async () => {
  const { kernel, asked, route } = host()
  const peers = Array.from({ length: 10_000 }, (_, n) => ipFromInteger(4, 0x0aff0000n + BigInt(n)))
  for (const [n, peer] of peers.entries()) route(`${peer.text}/32`, n % 2 === 0 ? 'big' : 'small')
  expect(await mtu(kernel, peers)).toBe(1500)
  expect(asked).toHaveLength(2)
})
