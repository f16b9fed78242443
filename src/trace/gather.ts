import { isDefaultRule } from '../kernel/route-way.ts'
import type { Kernel, KernelTables, LinkState } from '../kernel/kernel.ts'
import { deviceName, familyOfOwnDevice, TUN_PATTERN } from '../kernel/marks.ts'
import { addressBits, type Ip } from '../net/ip.ts'
import { addressAt, type Prefix } from '../net/prefix.ts'
import type { KernelFacts, TracedPeer } from './facts.ts'

/** What {@link gather} asks of the kernel. */
export type TracedKernel = Pick<Kernel, 'links' | 'snapshot' | 'answers' | 'rules'>

const EMPTY: KernelTables = { neighbours: [], fdb: [], routes: [] }

/** Reads what the kernel holds for one peer. Changes nothing. @throws {KernelError} */
export async function gather(kernel: TracedKernel, peer: TracedPeer, signal: AbortSignal): Promise<KernelFacts> {
  const { family, subnet, publicIp, vni, carried } = peer
  const links = await kernel.links(signal)
  const named = vni === undefined ? undefined : deviceName(family, vni)
  const name = carried === undefined ? named : (carried.device ?? nameOfCarried(links))
  const device = links.find((link) => link.name === name)
  const questions = [{ destination: containerOf(subnet) }, { destination: publicIp }]
  const [tables, [toContainer, toPublicIp], rules] = await Promise.all([
    device === undefined ? EMPTY : kernel.snapshot(device.index, [family], signal),
    kernel.answers(questions, signal),
    kernel.rules(family, signal),
  ])
  const none = { is: 'none', code: 'ENETUNREACH' } as const
  return {
    ...{ deviceName: name, device, tables },
    toContainer: toContainer ?? none,
    toPublicIp: toPublicIp ?? none,
    rules: rules.filter((rule) => !isDefaultRule(rule)),
    links: new Map(links.map((link) => [link.index, link])),
  }
}

/** Of the device whose packets an agent carries that does not say so; without one, the name that it would have. */
const nameOfCarried = (links: readonly LinkState[]): string =>
  links.find((link) => link.kind === 'tun' && familyOfOwnDevice(link) !== undefined)?.name ??
  TUN_PATTERN.replace('%d', '0')

const containerOf = (subnet: Prefix): Ip =>
  subnet.length < addressBits(subnet.family) ? addressAt(subnet, 1n) : subnet.base
