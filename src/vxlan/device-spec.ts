import type { VxlanConfig } from '../config/backend.ts'
import type { Family, Ip } from '../net/ip.ts'
import type { LinkState } from '../reconcile/kernel.ts'
import type { DeviceSpec } from './device.ts'
import { overlayMtu } from './overhead.ts'
import { deviceName, vtepAddress, type Vtep } from './vtep.ts'

/** The underlay as the device needs to know it. */
export interface Underlay {
  readonly link: LinkState
  /** Outer source address. */
  readonly address: Ip
}

/** IFLA_IFALIAS of our devices, for people who read `ip link`. */
const ALIAS = 'flannel-agent'

/** What is fixed when the device is created: all that {@link incompatibility} compares. */
export type DeviceIdentity = Pick<DeviceSpec, 'name' | 'vxlan'>

export const deviceIdentity = (family: Family, config: VxlanConfig, underlay: Underlay): DeviceIdentity => ({
  name: deviceName(family, config.vni),
  vxlan: {
    vni: config.vni,
    local: underlay.address,
    underlayIndex: underlay.link.index,
    port: config.port,
    learning: config.learning,
    gbp: config.gbp,
    ttl: 0,
    // RFC 7348 §5: the outer UDP checksum SHOULD be transmitted as zero.
    udpChecksum: false,
  },
})

/** The whole device of our own VTEP. */
export const deviceSpec = (vtep: Vtep, config: VxlanConfig, underlay: Underlay): DeviceSpec => ({
  ...deviceIdentity(vtep.family, config, underlay),
  mac: vtep.mac,
  mtu: overlayMtu(config.underlayMtu ?? underlay.link.mtu, underlay.address.family),
  alias: ALIAS,
  address: vtepAddress(vtep),
  network: vtep.overlay.network,
})
