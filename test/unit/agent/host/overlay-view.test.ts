import { describe, expect, it } from 'vitest'
import { overlayView } from '../../../../src/agent/host/overlay-view.ts'
import { allocBackend } from '../../../../src/backend/alloc/backend.ts'
import { hostGwBackend } from '../../../../src/backend/hostgw/backend.ts'
import { vxlanBackend } from '../../../../src/backend/vxlan/backend.ts'
import type { Family } from '../../../../src/net/ip.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { VTEP, VXLAN } from '../../../fake/samples.ts'

const address = ip('192.168.205.10')
const link = new FakeKernel().addCard('eth0')
const underlay = { link, address, prefix: prefix('192.168.205.0/24'), gateways: [], publicIp: address }
const common = {
  underlays: new Map<Family, typeof underlay>([[4, underlay]]),
  port: undefined,
  hasDirectRouting: false,
}
const { network } = VTEP.overlay
const part = { family: 4, network, subnet: VTEP.subnet }

describe('the overlay as its packets meet this host', () => {
  it('of vxlan: they come by our device, in tunnels that end on the underlay', () => {
    const devices = new Map<Family, string>([[4, 'flannel.100']])
    const backends = [vxlanBackend({ vtep: VTEP, config: VXLAN })]
    expect(overlayView({ ...common, backends, devices, port: 8472 })).toEqual({
      parts: [{ ...part, device: 'flannel.100' }],
      tunnels: [{ family: 4, link: 'eth0', address, network, port: 8472 }],
      entrances: [],
    })
    const direct = overlayView({ ...common, backends, devices, port: 8472, hasDirectRouting: true })
    expect(direct.entrances).toEqual(['eth0'])
  })

  it('of host-gw: they come as they are by the underlay, which has to pass them on', () => {
    expect(overlayView({ ...common, backends: [hostGwBackend(VTEP)], devices: new Map() })).toEqual({
      parts: [{ ...part, device: 'eth0' }],
      tunnels: [],
      entrances: ['eth0'],
    })
  })

  it('of alloc: they are somebody else’s business', () => {
    const backends = [allocBackend(VTEP)]
    expect(overlayView({ ...common, backends, devices: new Map() })).toEqual({ parts: [], tunnels: [], entrances: [] })
  })
})
