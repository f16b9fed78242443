import type { ConfiguredBackend, Publisher } from '../backend/backend.ts'
import type { Underlay } from '../kernel/underlay.ts'
import type { Lease } from '../lease/lease.ts'
import type { LeaseTerms, Trace } from '../lease/terms.ts'
import type { Family } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import { protectedPrefixes, type HostNetwork } from './around/host-network.ts'
import type { AgentPorts } from './runtime/ports.ts'

/** Life of a lease, as upstream grants it: one day. */
const LEASE_TTL_SECONDS = 86_400

/** What earlier runs have left on this host. */
export interface Traces {
  /** Who know what is there of devices and can be kept. */
  readonly publishers: ReadonlyMap<Family, Publisher>
  /** From the subnet file. */
  readonly previousSubnets: readonly Prefix[]
  /** Of bridges: they say nothing of whose a lease is. */
  readonly hintedSubnets: readonly Prefix[]
}

/** What terms are made with. */
type TermsPorts = Pick<AgentPorts, 'kernel' | 'instance' | 'node' | 'deriveMac' | 'deriveCopyId'>

/**
 * On what terms a lease is asked for: as this node, and, for when another machine has its node id, as a copy of it. A copy publishes no
 * MAC that the other may have as well.
 * @throws {KernelError}
 */
export async function termsToAcquire(
  ports: TermsPorts,
  host: HostNetwork,
  backend: ConfiguredBackend,
  subnets: Pick<Traces, 'previousSubnets' | 'hintedSubnets'>,
  signal: AbortSignal,
): Promise<LeaseTerms> {
  const { node, instance } = ports
  const publishers = await findPublishers(backend, host.underlays, { ...ports, node, isCopy: false }, signal)
  const terms = ownTerms({ node, instance }, host, backend, { publishers, ...subnets })
  const [hardware] = [...host.underlays.values()].flatMap(({ link }) => link.mac ?? [])
  if (hardware === undefined) return terms
  const copy = { ...node, id: ports.deriveCopyId(node.id, hardware) }
  const itsPublishers = await findPublishers(backend, host.underlays, { ...ports, node: copy, isCopy: true }, signal)
  const itsTraces = { publishers: itsPublishers, ...subnets }
  return { ...terms, copy: { ...ownTerms({ node: copy, instance }, host, backend, itsTraces), sharedId: node.id } }
}

/** What of a node is to be published, by family. @throws {KernelError} */
async function findPublishers(
  backend: ConfiguredBackend,
  underlays: ReadonlyMap<Family, Underlay>,
  { kernel, deriveMac, node, isCopy }: Pick<AgentPorts, 'kernel' | 'deriveMac' | 'node'> & { readonly isCopy: boolean },
  signal: AbortSignal,
): Promise<ReadonlyMap<Family, Publisher>> {
  const publishers = new Map<Family, Publisher>()
  for (const [family, underlay] of underlays) {
    const ofNode = (vni: number): Mac => deriveMac(node.id, vni, family)
    const found = await backend.findPublisher({ kernel, deriveMac: ofNode, family, underlay, isCopy }, signal)
    const publish = (current: Lease | undefined): unknown =>
      found.publish(isCopy && current?.node?.id !== node.id ? undefined : current)
    publishers.set(family, { ...found, publish })
  }
  return publishers
}

/** On what terms a backend wants its lease, on a host on which earlier runs have left what they have. */
export function ownTerms(
  ports: Pick<AgentPorts, 'node' | 'instance'>,
  host: HostNetwork,
  { leaseType }: Pick<ConfiguredBackend, 'leaseType'>,
  traces: Traces,
): LeaseTerms {
  const { config, underlays, isAddressOpen } = host
  return {
    node: ports.node,
    instance: ports.instance,
    overlays: config.overlays.filter(({ family }) => underlays.has(family)),
    absentOverlays: config.overlays.filter(({ family }) => !underlays.has(family)),
    publicIps: new Map([...underlays].map(([family, { publicIp }]) => [family, publicIp])),
    isAddressOpen,
    backendType: leaseType,
    backendData: (family, current) => traces.publishers.get(family)?.publish(current),
    previousSubnets: traces.previousSubnets,
    hintedSubnets: traces.hintedSubnets,
    traceOf: (lease) => traceOf(lease, traces),
    avoid: protectedPrefixes(host),
    avoidAnew: host.others ?? [],
    ttlSeconds: LEASE_TTL_SECONDS,
  }
}

/** What this host still shows of a lease. */
function traceOf(lease: Lease, { publishers, previousSubnets }: Traces): Trace | undefined {
  const { families } = lease
  if (families.some(({ subnet }) => previousSubnets.some(({ text }) => text === subnet.text))) return 'subnet'
  return [...publishers.values()].some((publisher) => publisher.carries(lease)) ? 'device' : undefined
}
