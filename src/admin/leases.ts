import type { NetworkConfig } from '../config/network.ts'
import { decodeLease, parseLeaseKey } from '../lease/codec.ts'
import { freeSubnets, type FreeSubnets } from '../lease/free-subnets.ts'
import { NO_ETCD_LEASE, type EtcdLeaseId, type Lease } from '../lease/lease.ts'
import type { LeaseRecord } from '../lease/store.ts'
import { prefixCovers, type Prefix } from '../net/prefix.ts'
import { whyOutside } from './consequences.ts'

/** One key below `PREFIX/subnets/`, as people ask of it. What is not known is null. */
export interface LeaseRow {
  readonly key: string
  readonly subnets: readonly string[]
  /** The name of its host, where the lease says it. */
  readonly hostname: string | null
  readonly nodeId: string | null
  readonly publicIps: readonly string[]
  readonly backend: string | null
  readonly isOurs: boolean
  /** On no etcd lease: it stays until somebody gives it up. */
  readonly isReservation: boolean
  readonly secondsLeft: number | null
  /** Since it was renewed last, as etcd counts. */
  readonly renewedSecondsAgo: number | null
  /** When it was made, and when it was written last, in revisions of the store: etcd keeps no times. */
  readonly createRevision: string
  readonly modRevision: string
  /** Why it is not used, or by not everybody; empty: nothing is known against it. */
  readonly problems: readonly string[]
}

export interface LeasesView {
  readonly revision: string
  /** In the order of their addresses. */
  readonly leases: readonly LeaseRow[]
  /** By the configuration; undefined: there is none, or it cannot be read. */
  readonly free: readonly FreeSubnets[] | undefined
}

/** How long an etcd lease has left, and from one renewal on, in seconds. */
export interface Life {
  readonly leftSeconds: number
  readonly grantedSeconds: number
}

export interface LeasesInput {
  readonly records: readonly LeaseRecord[]
  readonly revision: bigint
  readonly config: NetworkConfig | undefined
  /** Undefined: who we are is not known. */
  readonly nodeId: string | undefined
  readonly lives: ReadonlyMap<EtcdLeaseId, Life>
}

/** All leases, with what is to be said of each. Costs n log n. */
export function leasesView({ records, revision, config, nodeId, lives }: LeasesInput): LeasesView {
  const keys = records.map(({ key }) => ({ key, subnets: parseLeaseKey(key) ?? [] }))
  const overlaps = overlapping(keys)
  const shared = sharedBy(
    records.map((record) => ({ key: record.key, lease: decodeLease(record) })),
    ({ lease }) => ('rejected' in lease ? [] : lease.families.map(({ publicIp }) => publicIp.text)),
  )
  const rows = records.map((record): LeaseRow => {
    const lease = decodeLease(record)
    const problems = [
      ...('rejected' in lease ? [lease.rejected] : []),
      ...(overlaps.get(record.key) ?? []).map((other) => `overlaps ${other}`),
      ...(shared.get(record.key) ?? []).map((other) => `has the PublicIP of ${other}`),
      ...(config === undefined ? [] : [whyOutside(record.key, config) ?? []].flat()),
    ]
    const facts = 'rejected' in lease ? NO_FACTS : factsOf(lease)
    const life = lives.get(record.etcdLeaseId)
    return {
      ...facts,
      key: record.key,
      subnets: (parseLeaseKey(record.key) ?? []).map(({ text }) => text),
      isOurs: nodeId !== undefined && facts.nodeId === nodeId,
      isReservation: record.etcdLeaseId === NO_ETCD_LEASE,
      secondsLeft: life?.leftSeconds ?? null,
      renewedSecondsAgo: life === undefined ? null : Math.max(0, life.grantedSeconds - life.leftSeconds),
      createRevision: String(record.createRevision),
      modRevision: String(record.modRevision),
      problems,
    }
  })
  const order = new Map(keys.map(({ key, subnets: [first] }) => [key, first]))
  return {
    revision: String(revision),
    leases: rows.sort((a, b) => byAddress(order.get(a.key), order.get(b.key))),
    free: config?.overlays.map((overlay) =>
      freeSubnets(
        overlay,
        keys.flatMap(({ subnets }) => subnets),
      ),
    ),
  }
}

const NO_FACTS = { hostname: null, nodeId: null, publicIps: [], backend: null } as const

const factsOf = ({ node, families, backendType }: Lease): Pick<LeaseRow, keyof typeof NO_FACTS> => ({
  hostname: node?.hostname || null,
  nodeId: node?.id ?? null,
  publicIps: families.map(({ publicIp }) => publicIp.text),
  backend: backendType || null,
})

/** What cannot be placed comes last. */
export function byAddress(a: Prefix | undefined, b: Prefix | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return compare(a, b)
}

function compare(a: Prefix, b: Prefix): number {
  if (a.family !== b.family) return a.family - b.family
  const at = a.base.bytes.findIndex((octet, index) => octet !== b.base.bytes[index])
  return at < 0 ? a.length - b.length : (a.base.bytes[at] ?? 0) - (b.base.bytes[at] ?? 0)
}

/** What has subnets, and a name of its own. */
export interface Keyed {
  readonly key: string
  readonly subnets: readonly Prefix[]
}

/** Networks overlap only where one holds the other, which in their order stands before it. */
export function overlapping(keys: readonly Keyed[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>()
  const note = (key: string, other: string): void => {
    found.set(key, (found.get(key) ?? new Set()).add(other))
  }
  const sorted = keys.flatMap(({ key, subnets }) => subnets.map((subnet) => ({ key, subnet })))
  sorted.sort((a, b) => compare(a.subnet, b.subnet))
  const around: { readonly key: string; readonly subnet: Prefix }[] = []
  for (const one of sorted) {
    for (let last = around.at(-1); last !== undefined && !prefixCovers(last.subnet, one.subnet); last = around.at(-1))
      around.pop()
    const widest = around.at(-1)
    if (widest !== undefined && widest.key !== one.key) {
      note(one.key, widest.key)
      note(widest.key, one.key)
    }
    around.push(one)
  }
  return new Map([...found].map(([key, others]) => [key, [...others].slice(0, MOST_OTHERS)]))
}

/** Of others that are in the way of a lease, so many are named. */
const MOST_OTHERS = 3

/** Keys of those that have what others have too, with these others. @param textsOf what only one may have */
export function sharedBy<T extends { readonly key: string }>(
  all: readonly T[],
  textsOf: (one: T) => readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const holders = new Map<string, string[]>()
  for (const one of all)
    for (const text of textsOf(one)) {
      const known = holders.get(text)
      if (known === undefined) holders.set(text, [one.key])
      else known.push(one.key)
    }
  const shared = [...holders.values()].filter(({ length }) => length > 1)
  return new Map(
    shared.flatMap((keys) =>
      keys.map((key) => [key, keys.filter((other) => other !== key).slice(0, MOST_OTHERS)] as const),
    ),
  )
}
