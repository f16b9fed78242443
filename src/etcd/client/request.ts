import type { CallOptions } from '@grpc/grpc-js'
import type { Etcd3 } from 'etcd3'

import type { StoreErrorCode } from '../../lease/store.ts'
import { withDeadline, type Bounds } from './deadline.ts'
import { toStoreError } from './errors.ts'
import { authorizedBy, cancelledBy } from './interceptors.ts'

/** A request through etcd3; it has to pass `options` on. */
export type EtcdCall<T> = (client: Etcd3, options: CallOptions, signal: AbortSignal) => Promise<T>

/** What a request takes of a connection. */
export interface Line {
  readonly client: Etcd3
  token(): Promise<string | undefined>
  forgetToken(token: string): void
}

/**
 * Faults of an expired or outdated token: etcd answers INVALID_ARGUMENT to a JWT that is older than the last change of users
 * or roles.
 */
const TOKEN_IS_STALE: ReadonlySet<StoreErrorCode> = new Set(['UNAUTHENTICATED', 'INVALID_ARGUMENT'])

/**
 * One request over one connection; once more with a new token when the old one may be to blame.
 * @throws {StoreError}
 */
export function authenticated<T>(line: Line, bounds: Bounds, request: EtcdCall<T>): Promise<T> {
  return withDeadline(bounds, async (scope) => {
    const attempt = (token: string | undefined): Promise<T> =>
      request(line.client, callOptions(scope, bounds.timeoutMs, token), scope)
    const token = await line.token()
    try {
      return await attempt(token)
    } catch (error) {
      if (token === undefined || !TOKEN_IS_STALE.has(toStoreError(bounds, error).code)) throw error
      line.forgetToken(token)
      return await attempt(await line.token())
    }
  })
}

function callOptions(signal: AbortSignal, timeoutMs: number, token: string | undefined): CallOptions {
  return { deadline: Date.now() + timeoutMs, interceptors: [cancelledBy(signal), authorizedBy(token)] }
}
