import { sameIp } from '../net/ip.ts'
import { KernelError } from '../reconcile/kernel.ts'
import { deviceName, vtepAddress, type Vtep } from '../vxlan/vtep.ts'
import type { AgentPorts } from './ports.ts'

/**
 * The subnet has become another node's: our device no longer answers for it. With the last address of a device the kernel drops its
 * routes and neighbours too; all that our containers still sent would have an address that is not theirs any more. What cannot be done
 * now is done when the next subnet is there.
 */
export async function withdrawFromSubnet(
  { kernel, log }: Pick<AgentPorts, 'kernel' | 'log'>,
  vtep: Vtep,
  signal: AbortSignal,
): Promise<void> {
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
