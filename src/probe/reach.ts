import type { Family } from '../net/ip.ts'

/** Whether packets arrive at a peer over the overlay, as far as this node's own questions tell. */
export type Reach = 'reachable' | 'lossy' | 'mtu' | 'unreachable' | 'unknown'

/** All of them, the worst first. */
export const REACHES: readonly Reach[] = ['unreachable', 'mtu', 'lossy', 'unknown', 'reachable']

/** What the underlay says of a peer that the overlay does not reach. */
export interface UnderlayAnswer {
  /** Whether its PublicIP answers an ICMP echo. Many hosts do not, though packets arrive. */
  readonly answers: boolean
  /** Round trip, in milliseconds. */
  readonly rttMs?: number
  /** What a router or the peer itself sent instead, such as `host unreachable from 10.0.0.1`. */
  readonly says?: string
}

/** What is known of the way to one peer in one address family. */
export interface PeerReach {
  readonly reach: Reach
  /** Since when, on the monotonic clock, in milliseconds. */
  readonly sinceMs: number
  /** Round trip through the overlay of the last answer, in milliseconds. */
  readonly rttMs?: number | undefined
  /** Of the last questions, how many were not answered, 0 to 1. */
  readonly loss: number
  /** Largest IP packet that passes, in octets, where the overlay's MTU does not. */
  readonly passesOctets?: number | undefined
  readonly underlay?: UnderlayAnswer | undefined
  /** Whether it has ever answered since this agent knows of it: some hosts never do, though packets arrive. */
  readonly hasAnswered?: boolean | undefined
  /** When a question of its own was last heard, on the monotonic clock, in milliseconds: so far, its packets arrive here. */
  readonly heardMs?: number | undefined
}

/** A peer is judged otherwise than before. */
export interface ReachChange {
  /** Of its lease. */
  readonly key: string
  readonly family: Family
  readonly before: PeerReach
  readonly after: PeerReach
}
