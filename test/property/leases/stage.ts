import type { Challenges } from '../../../src/lease/challenges.ts'
import type { LeaseDelta, LeaseRecord, LeaseStore } from '../../../src/lease/store.ts'
import type { Clock } from '../../../src/time/clock.ts'

/** How a world comes to rest, in milliseconds. */
export interface Quiet {
  /** Longer than whoever waits for anything waits between two attempts. */
  readonly mostMs: number
  /** It is at rest when so long nothing is wrong, twice in a row. */
  readonly stepMs: number
}

/** Where the model is played: an etcd, and time. What is done to etcd here is done by somebody who is no node, or by one of upstream's. */
export interface Stage {
  readonly quiet: Quiet
  readonly clock: Clock
  /** As long as two nodes may both believe to hold an address, while what would tell them is on its way, in milliseconds. */
  readonly slackMs: number
  /** A connection of one process, which has its own idea of time. */
  open(clock: Clock): LeaseStore & Challenges
  /** @param look called whenever something may have happened */
  pass(ms: number, look: () => void): Promise<void>
  records(): Promise<readonly LeaseRecord[]>
  /** Every change of a lease so far, in order. */
  readonly history: readonly LeaseDelta[]
  putConfig(text: string): Promise<void>
  /** Over whatever stands there, on a new etcd lease, as upstream's nodes do. */
  putLease(key: string, value: string): Promise<LeaseRecord>
  deleteLease(key: string): Promise<void>
  revoke(etcdLeaseId: string): Promise<void>
  close(): Promise<void>
}
