import { expect, test } from 'vitest'
import type { TracedPeer } from '../../../src/trace/facts.ts'
import { gather } from '../../../src/trace/gather.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { FakeKernel } from '../../fake/fake-kernel.ts'

const forever = new AbortController().signal
const PEER: TracedPeer = {
  ...{ family: 4, subnet: prefix('10.1.0.0/20'), key: '10.1.0.0-20', publicIp: ip('192.168.205.1') },
  ...{ name: 'host-1', nodeId: null, backendType: '', mac: undefined, vni: undefined, source: 'etcd' },
}
const carriedBy = (device: string | undefined): TracedPeer => ({ ...PEER, carried: { device, network: undefined } })

test('a device of udp that no agent tells of is found by what it is, whatever number the kernel gave it', async () => {
  const kernel = new FakeKernel()
  const { deviceName, device } = await gather(kernel, carriedBy(undefined), forever)
  expect([deviceName, device]).toEqual(['flannel0', undefined])
  kernel.addCard('flannel0', { kind: 'bridge' })
  kernel.addCard('flannel1', { kind: 'tun' })
  kernel.addCard('flannel2', { kind: 'tun', alias: 'flannel-agent' })
  expect(await gather(kernel, carriedBy(undefined), forever)).toMatchObject({
    deviceName: 'flannel2',
    device: { kind: 'tun' },
  })
  expect((await gather(kernel, carriedBy('flannel1'), forever)).device?.name).toBe('flannel1')
})
