import type { EtcdLeaseId } from '../lease/lease.ts'
import { StoreError } from '../lease/store.ts'
import type { Clock } from '../time/clock.ts'
import type { Caller } from './client/call.ts'

/** How long an etcd lease lasts if nobody renews it, in seconds. */
export interface LeaseLife {
  readonly leftSeconds: number
  /** From one renewal on. */
  readonly grantedSeconds: number
}

/** Questions under way at once: etcd answers each from memory, and knows no question about several. */
const AT_ONCE = 64

/** After so long no more are asked about, in milliseconds: ten thousand take some seconds. */
const ENOUGH_MS = 2_000

/** Of many, those that can be asked about in time. @throws {StoreError} but for what we may not ask */
export async function askLives(
  caller: Caller,
  etcdLeases: Iterable<EtcdLeaseId>,
  clock: Clock,
  signal: AbortSignal,
): Promise<ReadonlyMap<EtcdLeaseId, LeaseLife>> {
  const lives = new Map<EtcdLeaseId, LeaseLife>()
  const left = new Set(etcdLeases).values()
  const untilMs = clock.monotonicMs() + ENOUGH_MS
  const askOn = async (): Promise<void> => {
    for (const ID of left) {
      if (clock.monotonicMs() > untilMs) return
      const answer = await caller.call('list', signal, ({ leaseClient }, options) =>
        leaseClient.leaseTimeToLive({ ID }, options),
      )
      const [leftSeconds, grantedSeconds] = [Number(answer.TTL), Number(answer.grantedTTL)]
      if (leftSeconds >= 0) lives.set(ID, { leftSeconds, grantedSeconds })
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, askOn))
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'PERMISSION_DENIED') throw error
  }
  return lives
}
