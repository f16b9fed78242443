import { decodeLease, nodeIn, parseLeaseKey } from '../../lease/codec.ts'
import type { Counted, RejectedStatus } from '../../status/document.ts'
import { printable } from '../../text/printable.ts'
import type { PeersView } from '../view/session-view.ts'
import type { LiveAgent } from './live-agent.ts'

/** Leases of others that are not honoured, `most` of them. */
export function rejectedRows(live: LiveAgent, most = Infinity): Counted<RejectedStatus> {
  const { session } = live.status
  if (session === undefined) return { total: 0, rows: [] }
  const rows: RejectedStatus[] = []
  for (const row of eachRejected(session.peers)) {
    if (rows.length >= most) break
    rows.push(row)
  }
  return { total: session.peers.rejected.size, rows }
}

/** All of them, made one by one as they are read. */
export function* eachRejected(peers: PeersView): Generator<RejectedStatus> {
  for (const [key, reason] of peers.rejected) {
    const record = peers.recordOf(key)
    const lease = record && decodeLease(record)
    const known = lease === undefined || 'rejected' in lease ? undefined : lease
    const [subnet] = parseLeaseKey(key) ?? []
    const node = known === undefined && record !== undefined ? nodeIn(record) : known?.node
    const hostname = node === undefined ? '' : node.hostname || node.id
    yield {
      key: printable(key),
      subnet: subnet?.text ?? null,
      publicIp: known?.families[0]?.publicIp.text ?? null,
      name: hostname === '' ? null : printable(hostname),
      reason: printable(reason),
      code: peers.codeOf(key) ?? 'claimed_by_other',
    }
  }
}
