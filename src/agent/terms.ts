import type { NetworkConfig } from '../config/network.ts'
import type { ExternalInterface } from '../host/external-interface.ts'
import { leaseFamily, type Lease } from '../lease/lease.ts'
import type { LeaseTerms } from '../lease/terms.ts'
import type { Family } from '../net/ip.ts'
import { isUnicastMac, type Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import { decodeVtepData, encodeVtepData } from '../vxlan/backend-data.ts'
import { deviceIdentity } from '../vxlan/device-spec.ts'
import { incompatibility } from '../vxlan/device.ts'
import { deviceName } from '../vxlan/vtep.ts'
import type { AgentPorts } from './ports.ts'

/** Life of a lease, as upstream grants it: one day. */
const LEASE_TTL_SECONDS = 86_400

export type MacChooser = (family: Family, current: Lease | undefined) => Mac

/**
 * The VTEP MAC must not change without need, since every peer holds it: that of a compatible device of an earlier run, else that in
 * our lease, else one derived from the node's identity.
 */
export async function vtepMacChooser(
  ports: AgentPorts,
  config: NetworkConfig,
  underlay: ExternalInterface,
  signal: AbortSignal,
): Promise<MacChooser> {
  const { vni } = config.backend
  const devices = new Map<Family, Mac>()
  for (const { family } of config.overlays) {
    const link = await ports.kernel.link(deviceName(family, vni), signal)
    const spec = deviceIdentity(family, config.backend, underlay)
    if (link?.mac !== undefined && isUnicastMac(link.mac) && incompatibility(link, spec) === undefined)
      devices.set(family, link.mac)
  }
  return (family, current) => devices.get(family) ?? publishedMac(family, current) ?? ports.deriveMac(vni, family)
}

function publishedMac(family: Family, lease: Lease | undefined): Mac | undefined {
  const data = lease && leaseFamily(lease, family)?.backendData
  try {
    return data === undefined ? undefined : decodeVtepData(data, 'BackendData').mac
  } catch {
    return undefined // whatever stands there, it is not a MAC worth keeping
  }
}

export function leaseTerms(
  ports: AgentPorts,
  config: NetworkConfig,
  underlay: ExternalInterface,
  previousSubnets: readonly Prefix[],
  chooseMac: MacChooser,
): LeaseTerms {
  return {
    node: ports.node,
    overlays: config.overlays,
    publicIps: new Map([[underlay.publicIp.family, underlay.publicIp]]),
    backendType: config.backend.type,
    backendData: (family, current) => encodeVtepData(config.backend.vni, chooseMac(family, current)),
    previousSubnets,
    ttlSeconds: LEASE_TTL_SECONDS,
  }
}
