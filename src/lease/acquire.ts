import type { Random } from '../net/clock.ts'
import type { Prefix } from '../net/prefix.ts'
import { chooseSubnet } from './allocate.ts'
import { decodeLease, encodeLease, formatLeaseKey, parseLeaseKey } from './codec.ts'
import { LeaseContentionError, OutOfSubnetsError, RivalError } from './errors.ts'
import { NO_ETCD_LEASE, type Lease } from './lease.ts'
import type { CasResult, LeaseList, LeaseRecord, LeaseStore } from './store.ts'
import { claimFor, hasOurAddress, leaseFits, ownershipOf, type LeaseTerms } from './terms.ts'

/** Lost races before giving up, as upstream counts. */
const ATTEMPTS = 10

export interface Acquired {
  readonly lease: Lease
  readonly record: LeaseRecord
  /** The complete list that the choice was made on; peers start from it. */
  readonly list: LeaseList
  readonly how: 'kept' | 'updated' | 'created'
}

/**
 * Gets this node a lease, in upstream's order: our own if it still fits (nothing is written when it says what we would say), then the
 * subnet of the previous run, then a random free one. Every write is a compare-and-set; a lost race starts over with a new list.
 * @throws {OutOfSubnetsError | RivalError | LeaseContentionError | StoreError}
 */
export async function acquireLease(
  store: LeaseStore,
  terms: LeaseTerms,
  random: Random,
  signal: AbortSignal,
): Promise<Acquired> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const list = await store.list(signal)
    const leases = decodeAll(list.records)
    const own = ownAmong(leases, terms)
    if (own === undefined) refuseRivals(leases, terms)
    if (own !== undefined && !leaseFits(own.lease, terms.overlays)) {
      await store.remove(own.record, signal)
      continue
    }
    const acquired =
      own === undefined
        ? await createNew(store, terms, list, random, signal)
        : await reuse(store, terms, own, list, signal)
    if (acquired !== undefined) return acquired
  }
  throw new LeaseContentionError(ATTEMPTS)
}

interface Decoded {
  readonly lease: Lease
  readonly record: LeaseRecord
}

function decodeAll(records: readonly LeaseRecord[]): readonly Decoded[] {
  return records.flatMap((record) => {
    const lease = decodeLease(record)
    return 'rejected' in lease ? [] : [{ lease, record }]
  })
}

/** Of several leases of ours, that with our address: the others may be those of machines with a copy of our machine id. */
function ownAmong(leases: readonly Decoded[], terms: LeaseTerms): Decoded | undefined {
  const ours = leases.filter(({ lease }) => ownershipOf(lease, terms) === 'ours')
  const withOurAddress = ours.filter(({ lease }) => hasOurAddress(lease, terms))
  return withOurAddress.find(({ lease }) => lease.node?.id === terms.node.id) ?? withOurAddress[0] ?? ours[0]
}

function refuseRivals(leases: readonly Decoded[], terms: LeaseTerms): void {
  const rival = leases.find(({ lease }) => ownershipOf(lease, terms) === 'rival')
  if (rival === undefined) return
  const shared = rival.lease.families.find(
    ({ family, publicIp }) => terms.publicIps.get(family)?.text === publicIp.text,
  )
  throw new RivalError(rival.lease, shared?.publicIp.text ?? 'unknown')
}

/** @returns undefined when the key is no longer as listed */
async function reuse(
  store: LeaseStore,
  terms: LeaseTerms,
  own: Decoded,
  list: LeaseList,
  signal: AbortSignal,
): Promise<Acquired | undefined> {
  const subnets = own.lease.families.map(({ subnet }) => subnet)
  const value = encodeLease(claimFor(terms, subnets, own.lease))
  if (!(await stillAlive(store, own.record, signal))) return undefined
  if (value === own.record.value) return { ...own, list, how: 'kept' }
  return accept(await store.replace(own.record, value, signal), list, 'updated')
}

/** Renews the etcd lease of a key before relying on it. A reservation has none. When it has expired, so has the key. */
async function stillAlive(store: LeaseStore, record: LeaseRecord, signal: AbortSignal): Promise<boolean> {
  return record.etcdLeaseId === NO_ETCD_LEASE || (await store.keepAlive(record.etcdLeaseId, signal)).alive
}

async function createNew(
  store: LeaseStore,
  terms: LeaseTerms,
  list: LeaseList,
  random: Random,
  signal: AbortSignal,
): Promise<Acquired | undefined> {
  const subnets = chooseSubnets(terms, list, random)
  const value = encodeLease(claimFor(terms, subnets, undefined))
  const lifetime = { kind: 'grant', ttlSeconds: terms.ttlSeconds } as const
  return accept(await store.create(formatLeaseKey(subnets), value, lifetime, signal), list, 'created')
}

/** Even a lease that we cannot read occupies the subnets of its key. */
function chooseSubnets(terms: LeaseTerms, list: LeaseList, random: Random): readonly Prefix[] {
  const taken = list.records.flatMap(({ key }) => parseLeaseKey(key) ?? [])
  return terms.overlays.map((overlay) => {
    const sameFamily = taken.filter(({ family }) => family === overlay.family)
    const preferred = terms.previousSubnets.find(({ family }) => family === overlay.family)
    const chosen = chooseSubnet(overlay, sameFamily, preferred, random)
    if (chosen === undefined) throw new OutOfSubnetsError(`${overlay.subnetMin.text} to ${overlay.subnetMax.text}`)
    return chosen
  })
}

function accept(result: CasResult, list: LeaseList, how: Acquired['how']): Acquired | undefined {
  if (!result.ok) return undefined
  const lease = decodeLease(result.record)
  if ('rejected' in lease) throw new TypeError(`our own lease does not decode: ${lease.rejected}`)
  return { lease, record: result.record, list, how }
}
