import type { VxlanConfig } from '../../src/config/backend.ts'
import { parseNetworkConfig, type OverlayNetwork } from '../../src/config/network.ts'
import type { InterfaceChoice } from '../../src/host/underlay/underlay.ts'
import { NO_ETCD_LEASE, type NodeIdentity } from '../../src/lease/lease.ts'
import type { LeaseRecord } from '../../src/lease/store.ts'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { prefix } from '../../src/net/prefix.ts'
import type { VxlanDeviceSpec } from '../../src/backend/vxlan/device-spec.ts'
import type { Vtep } from '../../src/backend/vxlan/vtep.ts'

/** The network of the walkthroughs. */
export const CONFIG =
  '{"Network":"10.0.0.0/8","SubnetLen":20,"SubnetMin":"10.10.0.0","SubnetMax":"10.99.0.0",' +
  '"Backend":{"Type":"vxlan","VNI":100,"Port":8472}}'

/** @throws when the configuration has no overlay, or is not valid */
export function overlayOf(config: string): OverlayNetwork {
  const [overlay] = parseNetworkConfig(config).overlays
  if (overlay === undefined) throw new Error('no overlay')
  return overlay
}

/** @throws when the configuration is for another backend, or is not valid */
export function vxlanOf(config: string): VxlanConfig {
  const { backend } = parseNetworkConfig(config)
  if (backend.type !== 'vxlan') throw new Error('no vxlan')
  return backend
}

export const OVERLAY = overlayOf(CONFIG)

/** Its backend settings. */
export const VXLAN = vxlanOf(CONFIG)

/** Nothing asked for: the interface of the default route, with its own address. */
export const NO_CHOICE: InterfaceChoice = {
  ifaces: [],
  ifaceRegexes: [],
  ifaceCanReach: undefined,
  publicIps: new Map(),
}

export const NODE: NodeIdentity = { id: 'node-1', hostname: 'host-1' }

/** What a node writes; upstream's shape without `node`. */
export function leaseValue(fields: {
  readonly publicIp: string
  readonly mac: string
  readonly vni?: number
  readonly node?: NodeIdentity
}): string {
  const { publicIp, vni = 100, node } = fields
  return JSON.stringify({
    PublicIP: publicIp,
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: vni, VtepMAC: fields.mac },
    Node: node === undefined ? undefined : { ID: node.id, Hostname: node.hostname },
  })
}

export const leaseRecord = (key: string, value: string, fields: Partial<LeaseRecord> = {}): LeaseRecord => ({
  key,
  value,
  etcdLeaseId: NO_ETCD_LEASE,
  createRevision: 1n,
  modRevision: 1n,
  ...fields,
})

/** Our own end point in tests of peers. */
export const VTEP: Vtep = {
  family: 4,
  vni: 100,
  mac: mac('02:00:00:00:00:99'),
  subnet: prefix('10.20.0.0/20'),
  overlay: OVERLAY,
}

/** A device as an agent wants it, on the underlay interface of this index. */
export const deviceSpecOn = (underlayIndex: number): VxlanDeviceSpec => ({
  name: 'flannel.100',
  mac: mac('02:00:00:00:00:01'),
  mtu: 1450,
  alias: 'flannel-agent',
  address: ip('10.15.64.0'),
  formerAddresses: [],
  network: prefix('10.0.0.0/8'),
  vxlan: {
    vni: 100,
    local: ip('192.168.205.10'),
    underlayIndex,
    port: 8472,
    learning: false,
    gbp: false,
    ttl: 0,
    udpChecksum: false,
  },
})
