import type { IWatchResponse } from 'etcd3'

import type { Revision } from '../../lease/lease.ts'
import { withDeadline } from '../client/deadline.ts'
import type { Endpoint } from '../client/endpoints.ts'
import { storeError, toStoreError } from '../client/errors.ts'
import { EventQueue } from './event-queue.ts'
import { authorizedBy, cancelledBy, requireLeader } from '../client/interceptors.ts'
import type { KeyRange } from './keyspace.ts'

/** Where and what to watch. */
export interface WatchRequest {
  readonly range: KeyRange
  readonly startRevision: Revision
  readonly endpoint: Endpoint
  /** Time for the connection and etcd's first answer. */
  readonly openTimeoutMs: number
}

/**
 * Opens a watch stream with one watcher, to live until `signal` aborts.
 * @returns etcd's answers after it has confirmed the watcher; they throw the `StoreError` that the stream dies of
 * @throws {StoreError} when it cannot be opened in time; the caller then aborts `signal`
 */
export function openWatch(request: WatchRequest, signal: AbortSignal): Promise<AsyncIterable<IWatchResponse>> {
  const { endpoint, range, startRevision, openTimeoutMs: timeoutMs } = request
  const site = { op: 'watch', url: endpoint.address.url }
  return withDeadline({ ...site, timeoutMs, signal }, async () => {
    const answers = new EventQueue<IWatchResponse>()
    signal.addEventListener('abort', () => {
      answers.abandon()
    })
    const { client } = endpoint.connection
    const interceptors = [cancelledBy(signal), authorizedBy(await endpoint.connection.token()), requireLeader]
    const stream = await client.watchClient.watch({ interceptors })
    const opened = new Promise<AsyncIterable<IWatchResponse>>((resolve, reject) => {
      const fail = (error: Error): void => {
        answers.fail(error)
        reject(error)
      }
      stream.on('data', (answer) => {
        endpoint.connection.liveness.heard()
        if (answer.canceled && !isCompacted(answer)) fail(storeError(site, 'CANCELLED', answer.cancel_reason))
        else if (answer.created) resolve(answers)
        else answers.push(answer)
      })
      stream.on('error', (error) => {
        fail(toStoreError(site, error))
      })
      stream.on('end', () => {
        fail(storeError(site, 'UNAVAILABLE', 'etcd ended the stream'))
      })
    })
    const create = { ...range, start_revision: String(startRevision), fragment: true, progress_notify: true }
    stream.write({ create_request: create })
    return opened
  })
}

/** The watcher was refused because the history it asked for is gone. */
export const isCompacted = ({ canceled, compact_revision }: IWatchResponse): boolean =>
  canceled && BigInt(compact_revision) > 0n
