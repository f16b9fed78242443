import type { KernelErrorCode } from '../../kernel/kernel.ts'
import type { PendingRow } from '../../reconcile/pending-row.ts'

/**
 * What the kernel answers to a route whose gateway it cannot reach (net/ipv4/fib_semantics.c: fib_check_nh; net/ipv6/route.c:
 * ip6_route_check_nh, ip6_route_check_nh_onlink). Anything else says more of this node than of the peer.
 */
const GATEWAY_CODES: ReadonlySet<KernelErrorCode> = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EINVAL'])

/** Peers that the kernel will not send to, each with its words. */
export interface UnreachablePeers {
  readonly rows: number
  readonly reasons: ReadonlyMap<string, string>
}

const NOBODY: UnreachablePeers = { rows: 0, reasons: new Map() }

/**
 * Of the rows that are not as they should be, those that the kernel refuses because of where their peer is: one such peer is no reason to take this node out
 * of service. Where all of several peers are refused the fault is here, and none of them is named as unreachable.
 */
export function unreachablePeers(pending: Iterable<PendingRow>, peers: number): UnreachablePeers {
  let rows = 0
  const reasons = new Map<string, string>()
  for (const { peer, why } of pending) {
    if (peer === undefined || why.is !== 'refused' || !GATEWAY_CODES.has(why.error.code)) continue
    rows++
    reasons.set(peer, why.error.message)
  }
  return peers > 1 && reasons.size >= peers ? NOBODY : { rows, reasons }
}

const MOST_NAMED = 3

/** `1 of 41 cannot be reached: 10.80.0.0-20 (…)`. */
export function describeUnreachable({ reasons }: UnreachablePeers, peers: number): string {
  const named = Array.from(reasons, ([peer, reason]) => `${peer} (${reason})`)
  const more = named.length > MOST_NAMED ? [`${named.length - MOST_NAMED} more`] : []
  return `${reasons.size} of ${peers} cannot be reached: ${[...named.slice(0, MOST_NAMED), ...more].join(', ')}`
}
