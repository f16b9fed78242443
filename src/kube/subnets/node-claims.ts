import { decodeLease, formatLeaseKey } from '../../lease/codec.ts'
import type { Lease, LeaseClaim, PeerRecord } from '../../lease/lease.ts'
import { leaseFamily } from '../../lease/lease.ts'
import type { Family } from '../../net/ip.ts'
import { parsePrefix, type Prefix } from '../../net/prefix.ts'
import type { AnnotationName, Annotations, NodePatch, NodeRecord } from '../nodes/node-store.ts'

/** Names of annotations, by family. */
export const NAMES = {
  4: { publicIp: 'public-ip', backendData: 'backend-data', overwrite: 'public-ip-overwrite', chosen: 'node-public-ip' },
  6: {
    publicIp: 'public-ipv6',
    backendData: 'backend-v6-data',
    overwrite: 'public-ipv6-overwrite',
    chosen: 'node-public-ipv6',
  },
} as const satisfies Readonly<Record<Family, Readonly<Record<string, AnnotationName>>>>

const FAMILIES = [4, 6] as const

/** The subnets of a Node, one a family, IPv4 first; those that cannot be read are left out. */
export function subnetsOf({ podCidrs }: Pick<NodeRecord, 'podCidrs'>): readonly Prefix[] {
  const subnets = podCidrs.flatMap((cidr) => parsePrefix(cidr) ?? [])
  return FAMILIES.flatMap((family) => subnets.find((subnet) => subnet.family === family) ?? [])
}

/**
 * What a Node claims, written as a lease in etcd is, so that both are judged by the same rules: key by its subnets, value by its annotations.
 * Rubbish is handed on, to be rejected for what it is. It is as old as its Node, and so is all that it says: API servers keep no history, and
 * every node is to decide alike whose claim is older (decision 64).
 * @returns undefined: no agent has published it, or it has no subnet
 */
export function recordOf(node: NodeRecord): PeerRecord | undefined {
  const { annotations, podCidrs, createdMs } = node
  if (annotations['kube-subnet-manager'] !== 'true' || podCidrs.length === 0) return undefined
  const subnets = subnetsOf(node)
  const said = subnets.filter(({ family }) => annotations[NAMES[family].publicIp] !== undefined)
  const claimed = said.length > 0 ? said : subnets
  const key = claimed.length > 0 ? formatLeaseKey(claimed) : podCidrs.join('&')
  const revision = BigInt(createdMs)
  return { key, value: valueOf(node, claimed), createRevision: revision, modRevision: revision }
}

/** In the order of `encodeLease`: then it takes little to read and to keep. */
function valueOf({ name, annotations }: NodeRecord, claimed: readonly Prefix[]): string {
  const has = (family: Family): boolean => claimed.some((subnet) => subnet.family === family)
  const type = annotations['backend-type'] ?? ''
  return JSON.stringify({
    PublicIP: has(4) ? annotations['public-ip'] : '0.0.0.0',
    PublicIPv6: (has(6) ? annotations['public-ipv6'] : undefined) ?? null,
    BackendType: type === '' ? undefined : type,
    BackendData: has(4) ? dataIn(annotations['backend-data']) : undefined,
    BackendV6Data: has(6) ? dataIn(annotations['backend-v6-data']) : undefined,
    Node: { ID: name, Hostname: name },
  })
}

/** Backends without any have `null` there. What is no JSON is handed on as the text that it is. */
function dataIn(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return value ?? undefined
  } catch {
    return text
  }
}

/** What a Node has published; undefined: nothing, or nothing that can be read. */
export function leaseOf(node: NodeRecord): Lease | undefined {
  const record = recordOf(node)
  const lease = record && decodeLease(record)
  return lease === undefined || 'rejected' in lease ? undefined : lease
}

/** The annotations that say what is claimed. Null: there is to be none. */
export function annotationsOf(claim: LeaseClaim): NonNullable<NodePatch['annotations']> {
  const said: Partial<Record<AnnotationName, string | null>> = {
    'kube-subnet-manager': 'true',
    'backend-type': claim.backendType,
  }
  for (const family of FAMILIES) {
    const part = leaseFamily(claim, family)
    const { publicIp, backendData } = NAMES[family]
    said[publicIp] = part?.publicIp.text ?? null
    said[backendData] = part === undefined ? null : JSON.stringify(part.backendData ?? null)
  }
  return said
}

/** Of what is to stand there, what does not. */
export function differing(
  wanted: NonNullable<NodePatch['annotations']>,
  found: Annotations,
): NonNullable<NodePatch['annotations']> {
  const entries = Object.entries(wanted).filter(([name, value]) => {
    const now = Object.entries(found).find(([known]) => known === name)?.[1] ?? null
    return now !== value
  })
  return Object.fromEntries(entries)
}
