import { backendDataField, decodeVtepData } from '../backend/vxlan/backend-data.ts'
import { ConfigError } from '../config/error.ts'
import type { NetworkConfig } from '../config/network.ts'
import { decodeLease, parseLeaseKey } from '../lease/codec.ts'
import type { Lease, LeaseFamily, PeerRecord } from '../lease/lease.ts'
import { peerObjection, type PeerLimits } from '../lease/peers/peer-rules.ts'
import { addressBits } from '../net/ip.ts'
import { prefixOf } from '../net/prefix.ts'
import { byAddress, overlapping, sharedBy, type Keyed } from './leases.ts'

/** A Node of Kubernetes that an agent has published. */
export interface PublishedNode {
  readonly name: string
  /** What it claims, as a lease; its createRevision is the Node's age. */
  readonly record: PeerRecord
}

export interface NodeRow {
  readonly name: string
  readonly key: string
  readonly subnets: readonly string[]
  readonly publicIps: readonly string[]
  readonly backend: string | null
  readonly isOurs: boolean
  /** Why it is no peer, or not of everybody; empty: nothing is known against it. */
  readonly problems: readonly string[]
}

export interface NodesInput {
  readonly nodes: readonly PublishedNode[]
  /** Undefined: it is not to be had here, and what hangs on it is not judged. */
  readonly config: NetworkConfig | undefined
  /** Name of our own Node; undefined: it is not known. */
  readonly own: string | undefined
}

interface Read extends PublishedNode, Keyed {
  readonly lease: Lease | undefined
  readonly rejected: string | undefined
}

/**
 * All Nodes that agents have published, in the order of their addresses, judged by the rules of peers. Their podCIDRs are of any length, and
 * from wherever in Network the cluster has taken them. Costs n log n. Pure.
 */
export function nodesView({ nodes, config, own }: NodesInput): readonly NodeRow[] {
  const all = nodes.map(readNode)
  const limits = config && limitsOf(config, all, own)
  const conflicts = conflictsOf(all)
  const rows = all.map((node): NodeRow => {
    const { name, record, lease, subnets } = node
    const reason = node.rejected ?? (lease && config && limits && objectionTo(lease, config, limits))
    return {
      ...{ name, key: record.key, subnets: subnets.map(({ text }) => text), isOurs: name === own },
      publicIps: lease?.families.map(({ publicIp }) => publicIp.text) ?? [],
      backend: lease?.backendType || null,
      problems: [...(reason === undefined ? [] : [reason]), ...(conflicts.get(name) ?? [])],
    }
  })
  const order = new Map(all.map(({ name, subnets: [first] }) => [name, first]))
  return rows.sort((a, b) => byAddress(order.get(a.name), order.get(b.name)))
}

function readNode({ name, record }: PublishedNode): Read {
  const lease = decodeLease(record)
  const common = { name, record, key: name, subnets: parseLeaseKey(record.key) ?? [] }
  if ('rejected' in lease) return { ...common, lease: undefined, rejected: lease.rejected }
  return { ...common, lease, rejected: undefined }
}

/** Where Network was laid over the network of the hosts, our own address is of hosts and in Network. */
const limitsOf = ({ overlays }: NetworkConfig, all: readonly Read[], own: string | undefined): PeerLimits => ({
  ...{ overlays, own: [], ownPublicIps: [], interfaceOf: () => undefined },
  protectedPrefixes: (all.find(({ name }) => name === own)?.lease?.families ?? []).map(({ family, publicIp }) =>
    prefixOf(publicIp, addressBits(family)),
  ),
})

/** Why agents reject it; undefined: they do not. */
function objectionTo(lease: Lease, { overlays, backend }: NetworkConfig, limits: PeerLimits): string | undefined {
  const parts = lease.families.filter(({ family }) => overlays.some((overlay) => overlay.family === family))
  if (parts.length === 0) return `it has no subnet of ${overlays.map(({ network }) => network.text).join(' or ')}`
  for (const part of parts) {
    const objection = peerObjection(part, limits, lease.node?.id ?? '')?.rejected
    const reason =
      objection ??
      (backend.type === 'vxlan' && lease.backendType === 'vxlan' ? vtepProblem(part, backend.vni) : undefined)
    if (reason !== undefined) return reason
  }
  return undefined
}

function vtepProblem({ family, backendData }: LeaseFamily, ours: number): string | undefined {
  try {
    const { vni } = decodeVtepData(backendData, backendDataField(family))
    return vni === undefined || vni === ours ? undefined : `its VNI is ${vni}, ours ${ours}`
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

/** What several Nodes have that only one may have, by their names. */
function conflictsOf(all: readonly Read[]): ReadonlyMap<string, readonly string[]> {
  const byName = new Map(all.map((node) => [node.name, node]))
  const found = new Map<string, string[]>()
  const note = (name: string, others: readonly string[] = [], words: (other: Read, own: Read) => string): void => {
    const own = byName.get(name)
    const said = others.flatMap((one) => byName.get(one) ?? []).map((other) => (own ? words(other, own) : ''))
    found.set(name, [...(found.get(name) ?? []), ...said])
  }
  const overlaps = overlapping(all)
  const addresses = sharedBy(all, ({ lease }) => lease?.families.map(({ publicIp }) => publicIp.text) ?? [])
  for (const { name } of all) {
    note(name, overlaps.get(name), (other, own) => {
      const isSame = other.record.key === own.record.key
      return `${isSame ? 'same podCIDR as' : 'its podCIDR overlaps that of'} ${other.name} (${ageOf(other, own)})`
    })
    note(name, addresses.get(name), (other) => `has the PublicIP of ${other.name}`)
  }
  return found
}

/** As agents decide it: of two Nodes of one age, that with the lesser name counts as the older. */
function ageOf(other: Read, own: Read): 'older' | 'younger' {
  const [a, b] = [other.record.createRevision, own.record.createRevision]
  return a < b || (a === b && other.name < own.name) ? 'older' : 'younger'
}
