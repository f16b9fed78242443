import type { Kernel, LinkState } from '../../kernel/kernel.ts'
import type { DeviceKind } from '../device/kind.ts'
import { applyAll } from '../device/tend-device.ts'
import { explainRefusal, findRenamed, formerOnPort, refuseOtherKind } from './conflict.ts'
import type { VxlanDeviceSpec } from './device-spec.ts'

/**
 * Why an existing device cannot carry this overlay and must be made anew; undefined when it can be kept. VNI, underlay, local address,
 * port, learning and GBP count as fixed at creation. The time to live and the UDP checksum of outer packets are neither compared
 * nor mended: peers understand packets with any, and a device of an earlier run would be lost for nothing.
 */
export function incompatibility(link: LinkState, spec: Pick<VxlanDeviceSpec, 'vxlan'>): string | undefined {
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
  // Whoever did it may have left a reason, with which the kernel refuses to turn it off. A new device has none.
  if (link.protocolDown === true) return 'protodown is on, so that it has no carrier'
  return undefined
}

/** A VXLAN device: the kernel's own, which outlives whoever made it. */
export const vxlanDevice = (kernel: Kernel, spec: VxlanDeviceSpec): DeviceKind => ({
  parameters: parametersOf(spec),
  find: async (signal) => {
    const link = await kernel.link(spec.name, signal)
    refuseOtherKind(link, spec.name)
    return link
  },
  findRenamed: (signal) => findRenamed(kernel, spec, signal),
  incompatibility: (link) => incompatibility(link, spec),
  make: (signal) => applyAll(kernel, [{ op: 'link.create', spec }], signal),
  remove: ({ index }, signal) => applyAll(kernel, [{ op: 'link.delete', linkIndex: index }], signal),
  explain: (error, signal) => explainRefusal(error, kernel, spec, signal),
  former: (error, signal) => formerOnPort(error, kernel, spec, signal),
})

function parametersOf({ vxlan: { vni, local, underlayIndex, port, learning, gbp } }: VxlanDeviceSpec): string {
  return [vni, local?.text, underlayIndex, port, learning, gbp].join(' ')
}
