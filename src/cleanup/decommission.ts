import type { NodeIdentity } from '../lease/lease.ts'
import { cleanUp, type CleanupPorts, type CleanupReport } from './clean-up.ts'
import { giveBack, type GiveBackPorts, type GiveBackReport } from './give-back.ts'
import type { HostTitle } from './own-leases.ts'

export type DecommissionReport = CleanupReport & GiveBackReport

/**
 * Cleans the host up and then gives its leases back. In this order, for whoever gets the subnet next must not meet a host that still
 * uses it: while something stands here that carries packets of the overlay, the leases stay too.
 * @throws the reason of `signal` when it aborts
 */
export async function decommission(
  ports: CleanupPorts,
  leases: GiveBackPorts,
  node: NodeIdentity,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<DecommissionReport> {
  const host = await titleOf(ports, node, signal)
  const cleaned = await cleanUp(ports, dryRun, signal)
  if (cleaned.carries && !dryRun) {
    const failure = 'leases: they were not given back, since this host still uses the subnet, see above'
    return { ...cleaned, released: [], failures: [...cleaned.failures, failure] }
  }
  const given = await giveBack(leases, host, dryRun, signal)
  return {
    ...cleaned,
    released: given.released,
    kept: [...cleaned.kept, ...given.kept],
    failures: [...cleaned.failures, ...given.failures],
  }
}

/** What cannot be read tells nothing; cleaning up will name it. */
async function titleOf({ kernel, files }: CleanupPorts, node: NodeIdentity, signal: AbortSignal): Promise<HostTitle> {
  const nothing = (): readonly never[] => []
  const [addresses, links, subnets] = await Promise.all([
    kernel.addresses(signal).catch(nothing),
    kernel.links(signal).catch(nothing),
    files.find().then((found) => found.subnets, nothing),
  ])
  signal.throwIfAborted()
  return { node, addresses, links, subnets }
}
