import type { Client } from '@grpc/grpc-js'
import type { IResponseHeader } from 'etcd3'

import type { Bounds } from './deadline.ts'
import { authenticated, type Line } from './request.ts'

/** How one connection can be found to live. */
export interface Probe {
  /**
   * A small read that a quorum stands behind.
   * @returns what every answer says of the store
   * @throws {StoreError}
   */
  read(bounds: Bounds): Promise<IResponseHeader>
  /** Makes whoever is at the other end say anything, without asking etcd's members for it. */
  knock(timeoutMs: number): void
}

/** gRPC's own service for this, which needs no permission (grpc: doc/health-checking.md); who does not have it says so. */
const HEALTH_CHECK = '/grpc.health.v1.Health/Check'

/**
 * The read is of a key that we are permitted to read, and of no value. etcd answers a watch's progress request too, but its
 * grpc-proxy dies of one before 3.4.20, and leaves it unanswered since. HTTP/2's pings would be answered by anything, and every
 * server has its own opinion of how many are too many: 5 s for etcd as it is started mostly, five minutes for its grpc-proxy.
 */
export function storeProbe(line: Line, client: Client, key: Buffer): Probe {
  return {
    read: async (bounds) => {
      const { header } = await authenticated(line, bounds, ({ kv }, options) =>
        kv.range({ key, keys_only: true }, options),
      )
      return header
    },
    knock: (timeoutMs) => {
      const nothing = Buffer.alloc(0)
      const deadline = Date.now() + timeoutMs
      const as = (bytes: Buffer): Buffer => bytes
      client.makeUnaryRequest(HEALTH_CHECK, as, as, nothing, { deadline }, () => undefined)
    },
  }
}
