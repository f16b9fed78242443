import type { NetworkConfig } from '../../config/network.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { Lease } from '../../lease/lease.ts'
import type { LeaseTerms, Trace } from '../../lease/terms.ts'
import type { Family, Ip } from '../../net/ip.ts'
import { isUnicastMac, type Mac } from '../../net/mac.ts'
import { hostPrefix, type Prefix } from '../../net/prefix.ts'
import { encodeVtepData, publishedMac } from '../../backend/vxlan/backend-data.ts'
import { deviceIdentity } from '../../backend/vxlan/device-spec.ts'
import { incompatibility } from '../../backend/vxlan/device.ts'
import { deviceName } from '../../kernel/ours.ts'
import type { AgentPorts } from '../runtime/ports.ts'

/** Life of a lease, as upstream grants it: one day. */
const LEASE_TTL_SECONDS = 86_400

/** What earlier runs have left on this host. */
export interface Traces {
  /** MACs of devices that are there and can be kept. */
  readonly deviceMacs: ReadonlyMap<Family, Mac>
  /** From the subnet file. */
  readonly previousSubnets: readonly Prefix[]
}

/** The underlay, and what else a lease must not cover. */
export interface HostNetwork {
  readonly config: NetworkConfig
  /** By family of the overlay. */
  readonly underlays: ReadonlyMap<Family, Underlay>
  /** Addresses of etcd, as far as they are known. */
  readonly etcdAddresses: readonly Ip[]
}

/** @throws {KernelError} */
export async function deviceMacs(
  { kernel }: Pick<AgentPorts, 'kernel'>,
  { config, underlays }: HostNetwork,
  signal: AbortSignal,
): Promise<ReadonlyMap<Family, Mac>> {
  const macs = new Map<Family, Mac>()
  const { backend } = config
  if (backend.type !== 'vxlan') return macs
  for (const [family, underlay] of underlays) {
    const link = await kernel.link(deviceName(family, backend.vni), signal)
    const spec = deviceIdentity(family, backend, underlay)
    if (link?.mac !== undefined && isUnicastMac(link.mac) && incompatibility(link, spec) === undefined)
      macs.set(family, link.mac)
  }
  return macs
}

/** What must stay reachable over the underlay: no subnet, a peer's or our own, may cover any of it. */
export const protectedPrefixes = ({ underlays, etcdAddresses }: HostNetwork): readonly Prefix[] => [
  ...[...underlays.values()].flatMap(({ prefix, address, publicIp, gateways }) => [
    prefix,
    ...[address, publicIp, ...gateways].map(hostPrefix),
  ]),
  ...etcdAddresses.map(hostPrefix),
]

/**
 * The VTEP MAC must not change without need, since every peer holds it: that of a compatible device of an earlier run, else that in
 * our lease, else one derived from the node's identity.
 */
export function leaseTerms(
  ports: Pick<AgentPorts, 'node' | 'instance' | 'deriveMac'>,
  host: HostNetwork,
  traces: Traces,
): LeaseTerms {
  const { config, underlays } = host
  const { backend } = config
  // What peers hold counts first: a device that says otherwise was changed while nobody looked.
  const macFor = (vni: number, family: Family, current: Lease | undefined): Mac =>
    publishedMac(family, current) ?? traces.deviceMacs.get(family) ?? ports.deriveMac(vni, family)
  return {
    node: ports.node,
    instance: ports.instance,
    overlays: config.overlays,
    publicIps: new Map([...underlays].map(([family, { publicIp }]) => [family, publicIp])),
    backendType: backend.type,
    backendData: (family, current) =>
      backend.type === 'vxlan' ? encodeVtepData(backend.vni, macFor(backend.vni, family, current)) : undefined,
    previousSubnets: traces.previousSubnets,
    traceOf: (lease) => traceOf(lease, traces),
    avoid: protectedPrefixes(host),
    ttlSeconds: LEASE_TTL_SECONDS,
  }
}

/** What this host still shows of a lease. */
function traceOf(lease: Lease, { deviceMacs, previousSubnets }: Traces): Trace | undefined {
  const { families } = lease
  if (families.some(({ subnet }) => previousSubnets.some(({ text }) => text === subnet.text))) return 'subnet'
  const isOnDevice = families.some(({ family }) => {
    const mac = publishedMac(family, lease)
    return mac !== undefined && mac === deviceMacs.get(family)
  })
  return isOnDevice ? 'device' : undefined
}
