import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../../src/config/error.ts'
import { parseNetworkConfig } from '../../../../src/config/network.ts'
import { ip } from '../../../../src/net/ip.ts'
import { deviceSpec, usedUnderlayMtu } from '../../../../src/backend/vxlan/device-spec.ts'
import { overlayMtu } from '../../../../src/backend/vxlan/overhead.ts'
import { deviceName } from '../../../../src/kernel/marks.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { CONFIG, VTEP } from '../../../fake/samples.ts'

const link = new FakeKernel().addCard('eth1', { mtu: 9000 })
const { backend } = parseNetworkConfig(CONFIG)
if (backend.type !== 'vxlan') throw new TypeError(backend.type)

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

  it('takes no more than the interface carries, whatever is configured: the kernel would refuse it', () => {
    const underlay = { link, address: ip('192.168.205.10') }
    expect(deviceSpec(VTEP, { ...backend, underlayMtu: 9001 }, underlay).mtu).toBe(8950)
    expect(usedUnderlayMtu({ ...backend, underlayMtu: 9001 }, underlay)).toBe(9000)
    expect(usedUnderlayMtu({ ...backend, underlayMtu: 1400 }, underlay)).toBe(1400)
  })

  it('says when the underlay is too narrow for the overlay', () => {
    const narrow = (mtu: number) => () =>
      deviceSpec(VTEP, backend, { link: { ...link, mtu }, address: ip('192.168.205.10') })
    expect(narrow(118)().mtu).toBe(68)
    expect(narrow(117)).toThrow(ConfigError)
    expect(narrow(117)).toThrow(
      'MTU of eth1: expected at least 118 octets: 68 for IPv4 and 50 for VXLAN around it, found 117',
    )
  })
})
