import type { BackendConfig, VxlanConfig } from '../../config/backend.ts'
import { ConfigError } from '../../config/error.ts'
import type { Family } from '../../net/ip.ts'
import type { Mac } from '../../net/mac.ts'
import { DEVICE_ALIAS, deviceName } from '../../kernel/marks.ts'
import { carriesNothing, mtuOf, type Underlay } from '../../kernel/underlay.ts'
import type { VxlanSpec } from '../../kernel/kernel.ts'
import type { DeviceSpec } from '../device/deviation.ts'
import { overlayMtu, SMALLEST_MTU, VXLAN_OVERHEAD } from './overhead.ts'
import { vtepAddress, type Vtep } from './vtep.ts'

/** The VXLAN device as it should be. */
export interface VxlanDeviceSpec extends DeviceSpec, VxlanSpec {
  readonly mac: Mac
}

/** The underlay as the device needs to know it. */
type UnderDevice = Pick<Underlay, 'link' | 'address' | 'way'>

/** The settings of a device. @throws {TypeError} for those of another backend: a running agent follows no change of its type */
export function vxlanSettings(config: BackendConfig): VxlanConfig {
  if (config.type === 'vxlan') return config
  throw new TypeError(`settings of ${config.type} for a VXLAN device`)
}

/** What is fixed when the device is created: all that `incompatibility` compares. */
export type DeviceIdentity = Pick<VxlanDeviceSpec, 'name' | 'vxlan'>

export const deviceIdentity = (family: Family, config: VxlanConfig, underlay: UnderDevice): DeviceIdentity => ({
  name: deviceName(family, config.vni),
  vxlan: {
    vni: config.vni,
    local: underlay.address,
    // Bound to lo or a dummy it would send into that.
    underlayIndex: carriesNothing(underlay.link) ? 0 : underlay.link.index,
    port: config.port,
    learning: config.learning,
    gbp: config.gbp,
    ttl: 0,
    // RFC 7348 §5: the outer UDP checksum SHOULD be transmitted as zero.
    udpChecksum: false,
  },
})

/**
 * What the overlay is made for, in octets: the configured MTU of the underlay, but never more than the interface carries (the kernel
 * refuses a device that would send more: EINVAL).
 */
export const usedUnderlayMtu = (config: VxlanConfig, underlay: UnderDevice): number =>
  Math.min(config.underlayMtu ?? mtuOf(underlay), mtuOf(underlay))

/** The whole device of our own VTEP. @throws {ConfigError} when the underlay's MTU leaves too little for the overlay */
export const deviceSpec = (vtep: Vtep, config: VxlanConfig, underlay: UnderDevice): VxlanDeviceSpec => ({
  ...deviceIdentity(vtep.family, config, underlay),
  mac: vtep.mac,
  mtu: checkedMtu(vtep.family, usedUnderlayMtu(config, underlay), underlay),
  alias: DEVICE_ALIAS,
  address: vtepAddress(vtep),
  network: vtep.overlay.network,
  formerAddresses: [],
})

function checkedMtu(family: Family, underlayMtu: number, { link, address }: UnderDevice): number {
  const overhead = VXLAN_OVERHEAD[address.family]
  const smallest = SMALLEST_MTU[family]
  if (underlayMtu >= smallest + overhead) return overlayMtu(underlayMtu, address.family)
  const sum = `${smallest} for IPv${family} and ${overhead} for VXLAN around it`
  throw new ConfigError(`MTU of ${link.name}`, `at least ${smallest + overhead} octets: ${sum}`, underlayMtu)
}
