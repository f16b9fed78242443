import { decodeLease } from './codec.ts'
import { leaseFamily, type Lease } from './lease.ts'
import type { LeaseRecord } from './store.ts'
import { ownershipOf, type LeaseTerms } from './terms.ts'

/** Whom a record names as its owner, in words for the log. */
export function ownerOf(record: LeaseRecord): string {
  const lease = decodeLease(record)
  if ('rejected' in lease) return 'nobody we can name'
  return ownerName(lease)
}

/** Whose a lease is, in words for the log. */
export const ownerName = ({ node, families: [part] }: Lease): string =>
  node === undefined ? `the node at ${part?.publicIp.text ?? 'an unknown address'}` : `${node.hostname} (${node.id})`

/** Whether a record names another address than `value` does, as a copy of this machine would write. */
export function isElsewhere(record: LeaseRecord, value: string): boolean {
  const [found, wanted] = [decodeLease(record), decodeLease({ ...record, value })]
  if ('rejected' in found || 'rejected' in wanted) return false
  return found.families.some(({ family, publicIp }) => leaseFamily(wanted, family)?.publicIp.text !== publicIp.text)
}

/** Whether a record of our key still is ours to restore: garbage, our node id, or upstream's form with the address that `value` publishes. */
export function isOursToRestore(record: LeaseRecord, value: string, { node }: Pick<LeaseTerms, 'node'>): boolean {
  const [found, wanted] = [decodeLease(record), decodeLease({ ...record, value })]
  if ('rejected' in found) return true
  const published = 'rejected' in wanted ? [] : wanted.families
  const publicIps = new Map(published.map(({ family, publicIp }) => [family, publicIp]))
  return ownershipOf(found, { node, publicIps }) === 'ours'
}
