import type { CallOptions, Client, ClientDuplexStream } from '@grpc/grpc-js'
import { castGrpcError, type Etcd3 } from 'etcd3'

import type { StoreErrorCode } from '../../lease/store.ts'
import { withDeadline, type Bounds } from './deadline.ts'
import { toStoreError } from './errors.ts'
import { authorizedBy, cancelledBy } from './interceptors.ts'

/** Calls whose messages are read and written by whoever makes them, beside those of etcd3, over the same connection. */
export interface RawCalls {
  /** @param method such as `KV/Range`. Rejects as calls through etcd3 do. */
  unary(method: string, request: Buffer, options: CallOptions): Promise<Buffer>
  stream(method: string, options: CallOptions): ClientDuplexStream<Buffer, Buffer>
}

const pathOf = (method: string): string => `/etcdserverpb.${method}`
const asIs = (bytes: Buffer): Buffer => bytes

export const rawCalls = (client: Client): RawCalls => ({
  unary: (method, request, options) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(pathOf(method), asIs, asIs, request, options, (error, answer = Buffer.of()) => {
        if (error === null) resolve(answer)
        else reject(castGrpcError(error))
      })
    }),
  stream: (method, options) => client.makeBidiStreamRequest(pathOf(method), asIs, asIs, options),
})

/** A request through etcd3, or beside it; it has to pass `options` on. */
export type EtcdCall<T> = (client: Etcd3, options: CallOptions, signal: AbortSignal, raw: RawCalls) => Promise<T>

/** What a request takes of a connection. */
export interface Line {
  readonly client: Etcd3
  readonly raw: RawCalls
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
      request(line.client, callOptions(scope, bounds.timeoutMs, token), scope, line.raw)
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
