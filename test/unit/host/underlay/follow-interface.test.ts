import { describe, expect, it } from 'vitest'
import { chooseUnderlay, readHost, type Underlay } from '../../../../src/host/underlay/underlay.ts'
import { chooseAgain, followInterface, type Whereabouts } from '../../../../src/host/underlay/follow-interface.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import type { KernelOp } from '../../../../src/kernel/kernel.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { NO_CHOICE } from '../../../fake/samples.ts'

const IPV4 = { family: 4, leader: 4 } as const
const { signal } = new AbortController()

const address = (op: 'address.add' | 'address.delete', linkIndex: number, text: string): KernelOp => ({
  op,
  linkIndex,
  ip: ip(text),
  prefixLength: 24,
})
const defaultRoute = (linkIndex: number, metric: number): KernelOp => ({
  op: 'route.replace',
  type: 'unicast',
  destination: prefix('0.0.0.0/0'),
  linkIndex,
  metric,
  protocol: 'boot',
})

/** A host whose underlay is eth0, with 192.168.205.10. */
async function host(): Promise<{ kernel: FakeKernel; eth0: number; current: Underlay }> {
  const kernel = new FakeKernel()
  const { index: eth0 } = kernel.addCard('eth0')
  kernel.outside(address('address.add', eth0, '192.168.205.10'), defaultRoute(eth0, 100))
  return { kernel, eth0, current: await chooseUnderlay(kernel, NO_CHOICE, IPV4, signal) }
}

const follow = async (kernel: FakeKernel, current: Underlay): Promise<Whereabouts> =>
  followInterface(await readHost(kernel, NO_CHOICE, IPV4, signal), NO_CHOICE, current, IPV4)

function addVpn(kernel: FakeKernel): void {
  const { index } = kernel.addCard('tun0')
  kernel.outside(address('address.add', index, '172.16.0.2'), defaultRoute(index, 0))
}

describe('followInterface', () => {
  it('stays where a VPN has taken the default route over', async () => {
    const { kernel, current } = await host()
    addVpn(kernel)
    expect(await follow(kernel, current)).toEqual({ is: 'there', underlay: current })
  })

  it('stays without any default route, and with another address beside', async () => {
    const { kernel, eth0, current } = await host()
    kernel.outside(address('address.add', eth0, '192.168.205.11'), {
      op: 'route.delete',
      type: 'unicast',
      destination: prefix('0.0.0.0/0'),
      linkIndex: eth0,
      metric: 100,
      protocol: 'boot',
    })
    expect(await follow(kernel, current)).toEqual({ is: 'there', underlay: current })
  })

  it('finds a re-created interface by its name, and sees its new index, MTU and gateway', async () => {
    const { kernel, eth0, current } = await host()
    kernel.outside({ op: 'link.delete', linkIndex: eth0 })
    const { index } = kernel.addCard('eth0', { mtu: 1400 })
    kernel.outside(address('address.add', index, '192.168.205.10'))
    const found = await follow(kernel, current)
    expect(found).toMatchObject({ is: 'there', underlay: { link: { index, mtu: 1400 }, publicIp: current.publicIp } })
  })

  it('finds one that was renamed, by its former name or by its index', async () => {
    const { kernel, eth0, current } = await host()
    const renamed = kernel.tables.links.get(eth0)
    if (renamed === undefined) throw new Error('no eth0')
    kernel.tables.links.set(eth0, { ...renamed, name: 'enp0s3' })
    expect(await follow(kernel, current)).toMatchObject({ is: 'there', underlay: { link: { name: 'enp0s3' } } })
    kernel.outside({ op: 'link.delete', linkIndex: eth0 })
    const { index } = kernel.addCard('lan', { altNames: ['eth0'] })
    kernel.outside(address('address.add', index, '192.168.205.77'))
    expect(await follow(kernel, current)).toMatchObject({ is: 'lost', renumbered: { link: { name: 'lan' } } })
  })

  it('follows its address onto the bridge that was put above it', async () => {
    const { kernel, eth0, current } = await host()
    const { index } = kernel.addCard('br0')
    kernel.outside(address('address.delete', eth0, '192.168.205.10'), address('address.add', index, '192.168.205.10'))
    expect(await follow(kernel, current)).toMatchObject({ is: 'there', underlay: { link: { name: 'br0' } } })
  })

  it('says which address has taken the place of the one in use', async () => {
    const { kernel, eth0, current } = await host()
    kernel.outside(address('address.add', eth0, '192.168.205.77'), address('address.delete', eth0, '192.168.205.10'))
    expect(await follow(kernel, current)).toMatchObject({ is: 'lost', renumbered: { address: ip('192.168.205.77') } })
  })

  it('says where to go instead when the interface is gone', async () => {
    const { kernel, eth0, current } = await host()
    kernel.outside({ op: 'link.delete', linkIndex: eth0 })
    const nowhere = { is: 'lost', link: undefined, renumbered: undefined, alternative: undefined }
    expect(await follow(kernel, current)).toEqual(nowhere)
    addVpn(kernel)
    expect(await follow(kernel, current)).toMatchObject({ is: 'lost', alternative: { link: { name: 'tun0' } } })
  })
})

describe('chooseAgain', () => {
  it('keeps the interface where a VPN has taken the default route over, unless --iface says otherwise', async () => {
    const { kernel, current } = await host()
    addVpn(kernel)
    expect(await chooseAgain(kernel, NO_CHOICE, current, IPV4, signal)).toEqual(current)
    const choice = { ...NO_CHOICE, ifaces: ['tun0'] }
    expect(await chooseAgain(kernel, choice, current, IPV4, signal)).toMatchObject({ link: { name: 'tun0' } })
  })

  it('keeps one of two that match a regular expression, whichever comes first meanwhile', async () => {
    const { kernel, eth0, current } = await host()
    const choice = { ...NO_CHOICE, ifaceRegexes: [/^tun/, /^eth/] }
    addVpn(kernel)
    expect(await chooseAgain(kernel, choice, current, IPV4, signal)).toEqual(current)
    expect(await chooseAgain(kernel, choice, undefined, IPV4, signal)).toMatchObject({ link: { name: 'tun0' } })
    kernel.outside({ op: 'link.delete', linkIndex: eth0 })
    expect(await chooseAgain(kernel, choice, current, IPV4, signal)).toMatchObject({ link: { name: 'tun0' } })
  })

  it('keeps the interface when the way to an address changes', async () => {
    const { kernel, eth0, current } = await host()
    const choice = { ...NO_CHOICE, ifaceCanReach: ip('8.8.8.8') }
    expect(await chooseAgain(kernel, choice, undefined, IPV4, signal)).toEqual(current)
    addVpn(kernel)
    expect(await chooseAgain(kernel, choice, current, IPV4, signal)).toEqual(current)
    kernel.outside({ op: 'link.delete', linkIndex: eth0 })
    expect(await chooseAgain(kernel, choice, current, IPV4, signal)).toMatchObject({ link: { name: 'tun0' } })
  })

  it('leaves one that a regular expression found for one that --iface names', async () => {
    const { kernel, current } = await host()
    const choice = { ...NO_CHOICE, ifaces: ['tun0'], ifaceRegexes: [/^eth/] }
    expect(await chooseAgain(kernel, choice, current, IPV4, signal)).toEqual(current)
    addVpn(kernel)
    expect(await chooseAgain(kernel, choice, current, IPV4, signal)).toMatchObject({ link: { name: 'tun0' } })
  })

  it('does without none of what --iface alone names, though the one in use has its address', async () => {
    const { kernel, current } = await host()
    const again = chooseAgain(kernel, { ...NO_CHOICE, ifaces: ['eth7'] }, current, IPV4, signal)
    await expect(again).rejects.toThrow('--iface fits none: eth7 is not there')
  })

  it('takes that of the default route when there was none before, or it is gone', async () => {
    const { kernel, eth0, current } = await host()
    addVpn(kernel)
    expect(await chooseAgain(kernel, NO_CHOICE, undefined, IPV4, signal)).toMatchObject({ link: { name: 'tun0' } })
    kernel.outside({ op: 'link.delete', linkIndex: eth0 })
    expect(await chooseAgain(kernel, NO_CHOICE, current, IPV4, signal)).toMatchObject({ link: { name: 'tun0' } })
  })
})
