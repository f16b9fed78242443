import { beforeEach, describe, expect, it } from 'vitest'
import type { Publisher } from '../../../../src/backend/backend.ts'
import { configuredVxlan } from '../../../../src/backend/vxlan/configured.ts'
import { ConfigError } from '../../../../src/config/error.ts'
import type { VxlanState } from '../../../../src/kernel/kernel.ts'
import type { Underlay } from '../../../../src/kernel/underlay.ts'
import { decodeLease } from '../../../../src/lease/codec.ts'
import type { Lease } from '../../../../src/lease/lease.ts'
import { ip } from '../../../../src/net/ip.ts'
import { mac } from '../../../../src/net/mac.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { deviceSpecOn, leaseRecord, leaseValue, VTEP, VXLAN } from '../../../fake/samples.ts'

const DERIVED = mac('02:00:00:00:00:aa')
const OF_DEVICE = mac('02:00:00:00:00:bb')
const OF_LEASE = mac('02:00:00:00:00:cc')

const configured = configuredVxlan(VXLAN)

let kernel: FakeKernel
let underlay: Underlay

beforeEach(() => {
  kernel = new FakeKernel()
  const link = kernel.addCard('eth0')
  const address = ip('192.168.205.10')
  underlay = { link, address, prefix: prefix('192.168.205.0/24'), gateways: [], publicIp: address }
})

/** An earlier run has left a device. */
function leaveDevice(change: Partial<VxlanState> = {}, deviceMac = OF_DEVICE): void {
  const { name, vxlan } = deviceSpecOn(underlay.link.index)
  kernel.addCard(name, { kind: 'vxlan', vxlan: { ...vxlan, external: false, ...change }, mac: deviceMac })
}

const publisher = (): Promise<Publisher> =>
  configured.findPublisher(
    { kernel, deriveMac: () => DERIVED, family: 4, underlay, isCopy: false },
    new AbortController().signal,
  )

function leaseWith(vtepMac: string): Lease {
  const lease = decodeLease(leaseRecord('10.20.0.0-20', leaseValue({ publicIp: '192.168.205.10', mac: vtepMac })))
  if ('rejected' in lease) throw new Error(lease.rejected)
  return lease
}

const published = (vtepMac: string) => ({ VNI: 100, VtepMAC: vtepMac })

describe('what is published before there is a lease', () => {
  it('is a MAC derived from the node where there is neither lease nor device', async () => {
    const { publish, carries } = await publisher()
    expect(publish(undefined)).toEqual(published(DERIVED))
    expect(carries(leaseWith(DERIVED))).toBe(false)
  })

  it('is the MAC of a device that can be kept, which is a trace of the lease that names it', async () => {
    leaveDevice()
    const { publish, carries } = await publisher()
    expect(publish(undefined)).toEqual(published(OF_DEVICE))
    expect([OF_DEVICE, OF_LEASE].map((one) => carries(leaseWith(one)))).toEqual([true, false])
  })

  it('is what peers hold already, whatever the device says', async () => {
    leaveDevice()
    expect((await publisher()).publish(leaseWith(OF_LEASE))).toEqual(published(OF_LEASE))
  })

  it.each([
    ['of another VNI', { vni: 101 }, OF_DEVICE],
    ['on another port', { port: 4789 }, OF_DEVICE],
    ['whose MAC is none', {}, mac('00:00:00:00:00:00')],
  ])('does not come from a device %s', async (_, change, deviceMac) => {
    leaveDevice(change, deviceMac)
    const { publish, carries } = await publisher()
    expect(publish(undefined)).toEqual(published(DERIVED))
    expect(carries(leaseWith(OF_DEVICE))).toBe(false)
  })
})

describe('the backend of a lease', () => {
  const part = { family: 4, subnet: VTEP.subnet, publicIp: ip('192.168.205.10') } as const

  it('has the MAC that the lease publishes, and publishes it again', () => {
    const backend = configured.begin(VTEP, { ...part, backendData: published(OF_LEASE) })
    expect(backend.publish(undefined)).toEqual(published(OF_LEASE))
    expect([OF_LEASE, OF_DEVICE].map((one) => backend.carries(leaseWith(one)))).toEqual([true, false])
    expect(backend.publish(leaseWith(OF_DEVICE))).toEqual(published(OF_DEVICE))
  })

  it('is refused what no node of ours publishes', () => {
    expect(() => configured.begin(VTEP, { ...part, backendData: {} })).toThrow(ConfigError)
  })

  it('is one of vxlan, for the peer filter and the log with VNI and port', () => {
    const { leaseType, guarded, logFields } = configured
    expect([leaseType, guarded, logFields]).toEqual(['vxlan', { vni: 100, port: 8472 }, { vni: 100, port: 8472 }])
  })
})
