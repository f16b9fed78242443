import { prefixContains, type Prefix } from '../net/prefix.ts'
import { hostPrefix } from '../net/prefix.ts'
import { sameIp, type Ip } from '../net/ip.ts'
import {
  KernelError,
  type AddressState,
  type Kernel,
  type KernelOp,
  type LinkState,
  type VxlanSpec,
} from '../reconcile/kernel.ts'

/** The VXLAN device as it should be. */
export interface DeviceSpec extends VxlanSpec {
  /** Address on the device, as a host prefix (/32, /128). */
  readonly address: Ip
  /** The overlay; other addresses of it on the device are leftovers and go. */
  readonly network: Prefix
}

/** What was done to bring the device about, for the log. */
export type DeviceOutcome = 'created' | 'recreated' | 'adopted' | 'unchanged'

export interface EnsuredDevice {
  readonly link: LinkState
  readonly outcome: DeviceOutcome
  /** Why an existing device could not be kept. */
  readonly replacedBecause?: string
}

/** Another device stands where ours must be. Only a person can decide what becomes of it. */
export class DeviceConflictError extends Error {
  override readonly name = 'DeviceConflictError'
}

/**
 * Why an existing device cannot carry this overlay and must be made anew; undefined when it can be kept. VNI, underlay, local address,
 * port, learning and GBP are fixed at creation as far as forwarding goes; MTU, MAC, addresses and state are mended in place.
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

/** Creation, deletion and mending can each need one look; more rounds mean that somebody works against us. */
const MOST_ROUNDS = 4

/**
 * Brings the device about: reads what is there, does what is missing, and reads again until nothing is missing.
 * @throws {DeviceConflictError} when a device of our name is not a vxlan, or another has our VNI and port
 * @throws {KernelError} when the kernel refuses
 */
export async function ensureDevice(kernel: Kernel, spec: DeviceSpec, signal: AbortSignal): Promise<EnsuredDevice> {
  let outcome: DeviceOutcome = 'unchanged'
  let replacedBecause: string | undefined
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const link = await kernel.link(spec.name, signal)
    const obstacle = link === undefined ? undefined : incompatibility(link, spec)
    if (link !== undefined && obstacle === undefined) {
      const ops = planSettings(spec, link, await kernel.addresses(signal))
      if (ops.length === 0) return { link, outcome, ...(replacedBecause === undefined ? {} : { replacedBecause }) }
      if (outcome === 'unchanged') outcome = 'adopted'
      await applyAll(kernel, ops, signal)
      continue
    }
    if (link !== undefined && link.kind !== 'vxlan')
      throw new DeviceConflictError(
        `a device named ${spec.name} exists, but ${obstacle ?? 'is not ours'}; remove or rename it`,
      )
    replacedBecause ??= obstacle
    outcome = link === undefined && outcome === 'unchanged' ? 'created' : 'recreated'
    await recreate(kernel, spec, link, signal)
  }
  throw new DeviceConflictError(`${spec.name} does not stay as configured: something else keeps changing it`)
}

async function recreate(
  kernel: Kernel,
  spec: DeviceSpec,
  old: LinkState | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (old !== undefined) await applyAll(kernel, [{ op: 'link.delete', linkIndex: old.index }], signal)
  try {
    await applyAll(kernel, [{ op: 'link.create', spec }], signal)
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== 'EEXIST') throw error
    const rival = (await kernel.links(signal)).find(
      ({ name, vxlan }) => name !== spec.name && vxlan?.vni === spec.vxlan.vni && vxlan.port === spec.vxlan.port,
    )
    if (rival === undefined) throw error
    throw new DeviceConflictError(
      `${rival.name} already carries VNI ${spec.vxlan.vni} on UDP port ${spec.vxlan.port}; remove it, or configure another VNI or port`,
    )
  }
  const made = await kernel.link(spec.name, signal)
  if (made !== undefined)
    await applyAll(kernel, [{ op: 'link.set', linkIndex: made.index, addressGeneration: 'none' }], signal)
}

/** Everything about an existing, compatible device that differs from the specification. Empty: nothing to do. */
export function planSettings(
  spec: DeviceSpec,
  link: LinkState,
  addresses: readonly AddressState[],
): readonly KernelOp[] {
  const linkIndex = link.index
  const onDevice = addresses.filter((address) => address.linkIndex === linkIndex)
  const { length: prefixLength } = hostPrefix(spec.address)
  const isOurs = (a: AddressState): boolean => sameIp(a.ip, spec.address) && a.prefixLength === prefixLength
  const leftovers = onDevice.filter((a) => prefixContains(spec.network, a.ip) && !isOurs(a))
  const settings = {
    ...(link.mac === spec.mac ? {} : { mac: spec.mac }),
    ...(link.mtu === spec.mtu ? {} : { mtu: spec.mtu }),
    ...(link.alias === spec.alias ? {} : { alias: spec.alias }),
  }
  return [
    ...(Object.keys(settings).length === 0 ? [] : [{ op: 'link.set', linkIndex, ...settings } as const]),
    ...(onDevice.some(isOurs) ? [] : [{ op: 'address.add', linkIndex, ip: spec.address, prefixLength } as const]),
    ...leftovers.map((a) => ({ op: 'address.delete', linkIndex, ip: a.ip, prefixLength: a.prefixLength }) as const),
    ...(link.up ? [] : [{ op: 'link.set', linkIndex, up: true } as const]),
  ]
}

async function applyAll(kernel: Kernel, ops: readonly KernelOp[], signal: AbortSignal): Promise<void> {
  for (const result of await kernel.apply(ops, signal)) if (!result.ok) throw result.error
}
