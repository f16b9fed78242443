import type { EtcdLeaseId } from '../lease/lease.ts'
import type { KeepAliveResult } from '../lease/store.ts'
import type { Caller } from './client/call.ts'
import { storeError } from './client/errors.ts'

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
      const ask = (): void => {
        leaseClient.leaseTimeToLive({ ID: etcdLeaseId }, options).then(
          ({ TTL }) => {
            resolve(standing(TTL))
          },
          () => undefined, // the renewal may still be answered
        )
      }
      const timer = setTimeout(ask, UNANSWERED_MS)
      scope.addEventListener('abort', () => {
        clearTimeout(timer)
      })
      stream.on('data', ({ TTL }) => {
        resolve(standing(TTL))
      })
      stream.on('error', reject)
      stream.on('end', () => {
        reject(storeError({ op: 'keepAlive' }, 'UNAVAILABLE', 'etcd ended the stream without an answer'))
      })
      stream.write({ ID: etcdLeaseId })
    })
  })
}

/** @param ttl in seconds; of a lease that does not exist, 0 when renewed and -1 when asked for */
function standing(ttl: string): KeepAliveResult {
  const ttlSeconds = Number(ttl)
  return ttlSeconds > 0 ? { alive: true, ttlSeconds } : { alive: false }
}
