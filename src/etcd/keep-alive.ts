import type { EtcdLeaseId } from '../lease/lease.ts'
import type { KeepAliveResult } from '../lease/store.ts'
import type { Caller } from './client/call.ts'
import { storeError } from './client/errors.ts'

/**
 * Renews an etcd lease once: opens the stream, asks, takes one answer. A stream per renewal costs one round trip every few
 * minutes or hours and can never be found half dead.
 * @throws {StoreError}
 */
export function keepAliveOnce(caller: Caller, etcdLeaseId: EtcdLeaseId, signal: AbortSignal): Promise<KeepAliveResult> {
  return caller.call('keepAlive', signal, async ({ leaseClient }, options) => {
    const stream = await leaseClient.leaseKeepAlive(options)
    return new Promise<KeepAliveResult>((resolve, reject) => {
      stream.on('data', ({ TTL }) => {
        const ttlSeconds = Number(TTL)
        resolve(ttlSeconds > 0 ? { alive: true, ttlSeconds } : { alive: false })
      })
      stream.on('error', reject)
      stream.on('end', () => {
        reject(storeError({ op: 'keepAlive' }, 'UNAVAILABLE', 'etcd ended the stream without an answer'))
      })
      stream.write({ ID: etcdLeaseId })
      stream.end()
    })
  })
}
