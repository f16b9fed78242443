import type { ConfiguredBackend, Publisher } from '../backend/backend.ts'
import type { NetworkConfig } from '../config/network.ts'
import type { Underlay } from '../kernel/underlay.ts'
import type { Lease } from '../lease/lease.ts'
import type { LeaseTerms, Trace } from '../lease/terms.ts'
import type { Family, Ip } from '../net/ip.ts'
import { hostPrefix, type Prefix } from '../net/prefix.ts'
import type { AgentPorts } from './runtime/ports.ts'

/** Life of a lease, as upstream grants it: one day. */
const LEASE_TTL_SECONDS = 86_400

/** What earlier runs have left on this host. */
export interface Traces {
  /** Who know what is there of devices and can be kept. */
  readonly publishers: ReadonlyMap<Family, Publisher>
  /** From the subnet file. */
  readonly previousSubnets: readonly Prefix[]
}

/** The underlay, and what else a lease must not cover. */
export interface HostNetwork {
  readonly config: NetworkConfig
  /** By family of the overlay. */
  readonly underlays: ReadonlyMap<Family, Underlay>
  /** Addresses of the subnet manager, as far as they are known. */
  readonly endpoints: readonly Ip[]
}

/** What of this node is to be published, by family. @throws {KernelError} */
export async function findPublishers(
  backend: ConfiguredBackend,
  underlays: ReadonlyMap<Family, Underlay>,
  { kernel, deriveMac }: Pick<AgentPorts, 'kernel' | 'deriveMac'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<Family, Publisher>> {
  const publishers = new Map<Family, Publisher>()
  for (const [family, underlay] of underlays)
    publishers.set(family, await backend.findPublisher({ kernel, deriveMac, family, underlay }, signal))
  return publishers
}

/** What must stay reachable over the underlay: no subnet, a peer's or our own, may cover any of it. */
export const protectedPrefixes = ({ underlays, endpoints }: HostNetwork): readonly Prefix[] => [
  ...[...underlays.values()].flatMap(({ prefix, address, publicIp, gateways }) => [
    prefix,
    ...[address, publicIp, ...gateways].map(hostPrefix),
  ]),
  ...endpoints.map(hostPrefix),
]

/** On what terms a backend wants its lease, on a host on which earlier runs have left what they have. */
export function ownTerms(
  ports: Pick<AgentPorts, 'node' | 'instance'>,
  host: HostNetwork,
  { leaseType }: Pick<ConfiguredBackend, 'leaseType'>,
  traces: Traces,
): LeaseTerms {
  const { config, underlays } = host
  return {
    node: ports.node,
    instance: ports.instance,
    overlays: config.overlays,
    publicIps: new Map([...underlays].map(([family, { publicIp }]) => [family, publicIp])),
    backendType: leaseType,
    backendData: (family, current) => traces.publishers.get(family)?.publish(current),
    previousSubnets: traces.previousSubnets,
    traceOf: (lease) => traceOf(lease, traces),
    avoid: protectedPrefixes(host),
    ttlSeconds: LEASE_TTL_SECONDS,
  }
}

/** What this host still shows of a lease. */
function traceOf(lease: Lease, { publishers, previousSubnets }: Traces): Trace | undefined {
  const { families } = lease
  if (families.some(({ subnet }) => previousSubnets.some(({ text }) => text === subnet.text))) return 'subnet'
  return [...publishers.values()].some((publisher) => publisher.carries(lease)) ? 'device' : undefined
}
