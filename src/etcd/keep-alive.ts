import type { EtcdLeaseId } from '../lease/lease.ts'
import type { KeepAliveResult } from '../lease/store.ts'
import type { Caller } from './client/call.ts'
import { BrokenAnswer, storeError } from './client/errors.ts'

/** etcd grants no more, in seconds (etcd: lease/lessor.go, MaxLeaseTTL). */
const LONGEST_TTL_S = 9_000_000_000

/**
 * How long etcd may say nothing to a renewal before it is asked how long the lease has left. A grpc-proxy answers after half a second,
 * and not at all to one who renews a lease that somebody else renews through it: it does that on its own then, at every third of the
 * time to live (etcd: clientv3 lease.go, proxy/grpcproxy lease.go).
 */
const UNANSWERED_MS = 1_000

/**
 * Renews an etcd lease once: opens the stream, asks, takes one answer. A stream per renewal costs one round trip every few
 * minutes or hours and can never be found half dead. It is ended by the answer: a grpc-proxy takes a stream that we have
 * finished for one that we have given up.
 * @throws {StoreError}
 */
export function keepAliveOnce(caller: Caller, etcdLeaseId: EtcdLeaseId, signal: AbortSignal): Promise<KeepAliveResult> {
  return caller.call('keepAlive', signal, async ({ leaseClient }, options, scope) => {
    const stream = await leaseClient.leaseKeepAlive(options)
    return new Promise<KeepAliveResult>((resolve, reject) => {
      const settle = (answer: Standing): void => {
        const result = standing(answer, etcdLeaseId)
        if (result instanceof Error) reject(result)
        else resolve(result)
      }
      const ask = (): void => {
        leaseClient.leaseTimeToLive({ ID: etcdLeaseId }, options).then(settle, () => undefined) // the renewal may still be answered
      }
      const timer = setTimeout(ask, UNANSWERED_MS)
      scope.addEventListener('abort', () => {
        clearTimeout(timer)
      })
      stream.on('data', settle)
      stream.on('error', reject)
      stream.on('end', () => {
        reject(storeError({ op: 'keepAlive' }, 'UNAVAILABLE', 'etcd ended the stream without an answer'))
      })
      stream.write({ ID: etcdLeaseId })
    })
  })
}

interface Standing {
  readonly ID: EtcdLeaseId
  /** In seconds; of a lease that does not exist, 0 when renewed and -1 when asked for. */
  readonly TTL: string
}

function standing({ ID, TTL }: Standing, asked: EtcdLeaseId): KeepAliveResult | BrokenAnswer {
  const ttlSeconds = Number(TTL)
  if (ID !== asked) return new BrokenAnswer(`etcd lease ${ID}, where ${asked} was asked for`)
  if (ttlSeconds > LONGEST_TTL_S) return new BrokenAnswer(`${TTL} s to live`)
  return ttlSeconds > 0 ? { alive: true, ttlSeconds } : { alive: false }
}
