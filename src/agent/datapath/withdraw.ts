import { sameIp } from '../../net/ip.ts'
import type { Logger } from '../../observe/logger.ts'
import { KernelError, type Kernel } from '../../kernel/kernel.ts'
import { vtepAddress, type Vtep } from '../../backend/vxlan/vtep.ts'
import { deviceName } from '../../kernel/ours.ts'
import type { AgentPorts } from '../runtime/ports.ts'

/**
 * Our subnets have become another node's: our devices no longer answer for them. With the last address of a device the kernel drops its
 * routes and neighbours too; all that our containers still sent would have an address that is not theirs any more. What cannot be done
 * now is done when the next subnet is there.
 */
export async function withdrawFromSubnets(
  { kernel, log }: Pick<AgentPorts, 'kernel' | 'log'>,
  vteps: readonly Vtep[],
  signal: AbortSignal,
): Promise<void> {
  for (const vtep of vteps) await withdrawAddress(kernel, log, vtep, signal)
}

async function withdrawAddress(kernel: Kernel, log: Logger, vtep: Vtep, signal: AbortSignal): Promise<void> {
  const name = deviceName(vtep.family, vtep.vni)
  try {
    const link = await kernel.link(name, signal)
    const addresses = await kernel.addresses(signal)
    const own = addresses.filter(({ linkIndex, ip }) => linkIndex === link?.index && sameIp(ip, vtepAddress(vtep)))
    const results = await kernel.apply(
      own.map(({ linkIndex, ip, prefixLength }) => ({ op: 'address.delete', linkIndex, ip, prefixLength }) as const),
      signal,
    )
    for (const result of results) if (!result.ok) throw result.error
  } catch (error) {
    if (!(error instanceof KernelError)) throw error
    if (!signal.aborted) log.warn(`cannot take the address of the lost subnet off ${name}: ${error.message}`)
  }
}
