import type { Family } from '../../net/ip.ts'
import { KernelError, type Kernel, type LinkState, type VxlanState } from '../../kernel/kernel.ts'
import { familyOfOwnDevice } from '../../kernel/marks.ts'
import { DeviceConflictError } from '../device/kind.ts'
import type { VxlanDeviceSpec } from './device-spec.ts'

/** @throws {DeviceConflictError} when a device has our name that is none we could ever have made */
export function refuseOtherKind(link: LinkState | undefined, name: string): void {
  if (link === undefined || link.kind === 'vxlan') return
  throw new DeviceConflictError(
    `a device named ${name} exists, but it is a ${link.kind ?? 'plain'} device, not vxlan; ` +
      `rename it, remove it (ip link delete ${name}), or configure another Backend.VNI`,
  )
}

/**
 * Our device under another name: it carries our VNI and port, and our alias and MAC, which nobody else's device has both of. Left
 * alone, it would keep us from making ours.
 */
export async function findRenamed(
  kernel: Kernel,
  { alias, mac, vxlan: { vni, port } }: VxlanDeviceSpec,
  signal: AbortSignal,
): Promise<LinkState | undefined> {
  const links = await kernel.links(signal)
  return links.find(
    ({ vxlan, ...link }) => vxlan?.vni === vni && vxlan.port === port && link.alias === alias && link.mac === mac,
  )
}

/**
 * Says who stands in the way when the kernel refuses to create the device or to bring it up; any other error comes back unchanged.
 * It refuses to create a second device of one VNI and port (EEXIST; drivers/net/vxlan: vxlan_vni_in_use), and to bring one up
 * whose port another socket has (EADDRINUSE): VXLAN devices share a port only when they receive alike (VXLAN_F_RCV_FLAGS).
 */
export async function explainRefusal(
  error: unknown,
  kernel: Kernel,
  spec: VxlanDeviceSpec,
  signal: AbortSignal,
): Promise<unknown> {
  if (!(error instanceof KernelError)) return error
  if (error.op === 'link.create' && error.code === 'EEXIST') {
    const links = await kernel.links(signal)
    // Somebody was faster and made a device of our name: the next attempt looks at it.
    return links.some(({ name }) => name === spec.name) ? error : new DeviceConflictError(sameNetwork(links, spec))
  }
  return error.op === 'link.set' && error.code === 'EADDRINUSE'
    ? new DeviceConflictError(samePort(await kernel.links(signal), spec))
    : error
}

/**
 * The device of a former configuration of ours that has the port that ours must listen on, and does not share it: as long as it stands,
 * ours cannot. Undefined where it is not that for which the kernel refuses ours.
 */
export async function formerOnPort(
  error: unknown,
  kernel: Kernel,
  spec: VxlanDeviceSpec,
  signal: AbortSignal,
): Promise<LinkState | undefined> {
  if (!(error instanceof KernelError) || error.op !== 'link.set' || error.code !== 'EADDRINUSE') return undefined
  return rivalOnPort((await kernel.links(signal)).filter(isFormer(spec)), spec)
}

/** Those of both families have one VNI. */
const isFormer =
  ({ vxlan: { vni } }: VxlanDeviceSpec) =>
  (link: LinkState): boolean =>
    familyOfOwnDevice(link) !== undefined && link.vxlan?.vni !== vni

const rivalOnPort = (links: readonly LinkState[], { name, vxlan }: VxlanDeviceSpec): LinkState | undefined =>
  links.find((link) => link.name !== name && link.up && isOn(link.vxlan, vxlan))

/** Devices on an IPv4 and on an IPv6 underlay are never in each other's way (VXLAN_F_IPV6). */
const familyOf = ({ local }: Pick<VxlanState, 'local'>): Family => local?.family ?? 4

function sameNetwork(links: readonly LinkState[], { vxlan: ours }: VxlanDeviceSpec): string {
  const { vni, port } = ours
  const rival = links.find(
    ({ vxlan }) => vxlan?.vni === vni && vxlan.port === port && familyOf(vxlan) === familyOf(ours),
  )
  return rival === undefined
    ? `a device that was moved to another network namespace already carries VNI ${vni} on UDP port ${port}; ` +
        `remove it there (ip -all netns exec ip -d link show type vxlan), or configure another Backend.VNI or Backend.Port`
    : `${rival.name} already carries VNI ${vni} on UDP port ${port}; ` +
        `remove it (ip link delete ${rival.name}), or configure another Backend.VNI or Backend.Port`
}

/** Whether a device listens where ours must. */
const isOn = (vxlan: VxlanState | undefined, ours: VxlanDeviceSpec['vxlan']): boolean =>
  vxlan?.port === ours.port && familyOf(vxlan) === familyOf(ours)

function samePort(links: readonly LinkState[], spec: VxlanDeviceSpec): string {
  const { name, vxlan: ours } = spec
  const rival = rivalOnPort(links, spec)
  if (rival?.vxlan === undefined)
    return (
      `UDP port ${ours.port}, which ${name} must listen on, is taken by a program, or by a device in another network namespace; ` +
      `stop it (ss -ulnp sport = :${ours.port} shows a program), or configure another Backend.Port`
    )
  const { vni, gbp, external } = rival.vxlan
  const settings = external
    ? 'in external mode'
    : gbp === ours.gbp
      ? 'with other settings'
      : `with GBP ${gbp ? 'on, ours off' : 'off, ours on'}`
  return (
    `${rival.name} (VNI ${vni}) already listens on UDP port ${ours.port} ${settings}; the kernel shares a port only among ` +
    `devices that agree: remove ${rival.name} (ip link delete ${rival.name}), or configure another Backend.Port`
  )
}
