import { describe, expect, it } from 'vitest'
import { parseNetworkConfig } from '../../../src/config/network.ts'
import { ip } from '../../../src/net/ip.ts'
import { deviceSpec } from '../../../src/vxlan/device-spec.ts'
import { overlayMtu } from '../../../src/vxlan/overhead.ts'
import { deviceName } from '../../../src/vxlan/vtep.ts'
import { FakeKernel } from '../../fake/fake-kernel.ts'
import { CONFIG, VTEP } from '../../fake/samples.ts'

const link = new FakeKernel().addCard('eth1', { mtu: 9000 })
const { backend } = parseNetworkConfig(CONFIG)

describe('overlayMtu', () => {
  it('leaves room for the outer headers of the underlay', () => {
    expect(overlayMtu(1500, 4)).toBe(1450)
    expect(overlayMtu(1500, 6)).toBe(1430)
  })
})

describe('deviceName', () => {
  it("is upstream's", () => {
    expect(deviceName(4, 100)).toBe('flannel.100')
    expect(deviceName(6, 100)).toBe('flannel-v6.100')
  })
})

describe('deviceSpec', () => {
  it('follows the VTEP, the configuration and the underlay', () => {
    expect(deviceSpec(VTEP, backend, { link, address: ip('192.168.205.10') })).toMatchObject({
      name: 'flannel.100',
      mac: VTEP.mac,
      mtu: 8950,
      address: ip('10.20.0.0'),
      network: VTEP.overlay.network,
      vxlan: {
        vni: 100,
        port: 8472,
        local: ip('192.168.205.10'),
        underlayIndex: link.index,
        learning: false,
        gbp: false,
      },
    })
  })

  it('prefers a configured MTU of the underlay to that of the interface', () => {
    const spec = deviceSpec(VTEP, { ...backend, underlayMtu: 1400 }, { link, address: ip('192.168.205.10') })
    expect(spec.mtu).toBe(1350)
  })
})
