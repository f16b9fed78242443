import type { Ip } from '../../net/ip.ts'
import type { Prefix } from '../../net/prefix.ts'
import { addressDeviations } from './device-addresses.ts'
import type { AddressState, KernelOp, LinkState, VxlanSpec } from '../../kernel/kernel.ts'

/** The VXLAN device as it should be. */
export interface DeviceSpec extends VxlanSpec {
  /** Address on the device, as a host prefix (/32, /128). */
  readonly address: Ip
  /** The overlay; other addresses of it on the device do not belong there and go. */
  readonly network: Prefix
  /** What its address was in earlier runs, as far as that is known. */
  readonly formerAddresses: readonly Ip[]
}

/** What about a device can be other than it should; each is mended, and damped, by itself. */
export type DeviceProperty =
  | 'existence'
  | 'name'
  | 'parameters'
  | 'master'
  | 'mac'
  | 'mtu'
  | 'alias'
  | 'address'
  | 'precedence of the address'
  | 'surplus address'
  | 'state'

/** One property of the device that is not as it should be. */
export interface Deviation {
  readonly property: DeviceProperty
  /** What was found, for people: `mtu 1280, expected 1450`. */
  readonly found: string
  /** What mends it in place; undefined where only a new device helps. */
  readonly ops: readonly KernelOp[] | undefined
}

/**
 * Why an existing device cannot carry this overlay and must be made anew; undefined when it can be kept. VNI, underlay, local address,
 * port, learning and GBP count as fixed at creation. The time to live and the UDP checksum of outer packets are neither compared
 * nor mended: peers understand packets with any, and a device of an earlier run would be lost for nothing.
 */
export function incompatibility(link: LinkState, spec: Pick<DeviceSpec, 'vxlan'>): string | undefined {
  const { vxlan } = link
  if (vxlan === undefined) return `it is a ${link.kind ?? 'plain'} device, not vxlan`
  const wanted = spec.vxlan
  if (vxlan.external) return 'it takes its tunnels from routes (external)'
  if (vxlan.vni !== wanted.vni) return `its VNI is ${vxlan.vni}, not ${wanted.vni}`
  if (vxlan.underlayIndex !== wanted.underlayIndex) return 'it is bound to another interface'
  if (vxlan.local?.text !== wanted.local?.text)
    return `its local address is ${vxlan.local?.text ?? 'unset'}, not ${wanted.local?.text ?? 'unset'}`
  if (vxlan.port !== wanted.port) return `its port is ${vxlan.port}, not ${wanted.port}`
  if (vxlan.learning !== wanted.learning) return `learning is ${vxlan.learning ? 'on' : 'off'}`
  if (vxlan.gbp !== wanted.gbp) return `GBP is ${vxlan.gbp ? 'on' : 'off'}`
  return undefined
}

/** What each property depends on, as text: where that changes, the device is to follow, and nobody has meddled with it. */
export function expectationsOf(spec: DeviceSpec): ReadonlyMap<DeviceProperty, string> {
  const { vni, local, underlayIndex, port, learning, gbp } = spec.vxlan
  const parameters = [vni, local?.text, underlayIndex, port, learning, gbp].join(' ')
  return new Map([
    ['existence', parameters],
    ['parameters', parameters],
    ['mac', spec.mac],
    ['mtu', String(spec.mtu)],
    ['alias', spec.alias],
    ['address', spec.address.text],
  ])
}

/** Everything about the device that differs from the specification, in the order to mend it. Empty: nothing to do. */
export function deviationsOf(
  spec: DeviceSpec,
  link: LinkState | undefined,
  addresses: readonly AddressState[],
): readonly Deviation[] {
  if (link === undefined) return [{ property: 'existence', found: 'deleted', ops: undefined }]
  const obstacle = incompatibility(link, spec)
  if (obstacle !== undefined) return [{ property: 'parameters', found: obstacle, ops: undefined }]
  return [...settingDeviations(spec, link), ...addressDeviations(spec, link, addresses), ...stateDeviations(link)]
}

function settingDeviations(spec: DeviceSpec, { index, master, ...link }: LinkState): readonly Deviation[] {
  const set = { op: 'link.set', linkIndex: index } as const
  const setting = (property: 'mac' | 'mtu' | 'alias', op: KernelOp): readonly Deviation[] =>
    link[property] === spec[property]
      ? []
      : [{ property, found: `${property} ${link[property] ?? 'unset'}, expected ${spec[property]}`, ops: [op] }]
  return [
    ...(master === undefined
      ? []
      : [{ property: 'master', found: `enslaved to link ${master}`, ops: [{ ...set, master: 0 }] } as const]),
    ...setting('mac', { ...set, mac: spec.mac }),
    ...setting('mtu', { ...set, mtu: spec.mtu }),
    ...setting('alias', { ...set, alias: spec.alias }),
  ]
}

const stateDeviations = ({ index, up }: LinkState): readonly Deviation[] =>
  up ? [] : [{ property: 'state', found: 'set down', ops: [{ op: 'link.set', linkIndex: index, up: true }] }]
