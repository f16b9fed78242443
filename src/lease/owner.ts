import { decodeLease } from './codec.ts'
import type { Lease } from './lease.ts'
import type { LeaseRecord } from './store.ts'

/** Whom a record names as its owner, in words for the log. */
export function ownerOf(record: LeaseRecord): string {
  const lease = decodeLease(record)
  if ('rejected' in lease) return 'nobody we can name'
  return ownerName(lease)
}

const ownerName = ({ node, families: [part] }: Lease): string =>
  node === undefined ? `the node at ${part?.publicIp.text ?? 'an unknown address'}` : `${node.hostname} (${node.id})`
