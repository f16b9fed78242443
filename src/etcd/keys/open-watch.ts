import type { Revision } from '../../lease/lease.ts'
import { withDeadline } from '../client/deadline.ts'
import type { Endpoint } from '../client/endpoints.ts'
import { BrokenAnswer, storeError, toStoreError, type CallSite } from '../client/errors.ts'
import { EventQueue } from './event-queue.ts'
import { authorizedBy, cancelledBy, requireLeader } from '../client/interceptors.ts'
import type { Keyspace } from './keyspace.ts'
import { writeWatchRequest } from '../wire/messages.ts'
import { isCompacted, readStreamAnswer, watchAnswer, type StreamAnswer, type WatchAnswer } from './watch-answer.ts'

/** Of a reason that etcd gives, in UTF-16 units: it goes into the log. */
const LONGEST_REASON = 500

/** Where and what to watch. */
export interface WatchRequest {
  /** What is watched is its range. */
  readonly keyspace: Keyspace
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
export function openWatch(request: WatchRequest, signal: AbortSignal): Promise<AsyncIterable<WatchAnswer>> {
  const { endpoint, keyspace, startRevision, openTimeoutMs: timeoutMs } = request
  const site = { op: 'watch', url: endpoint.address.url }
  return withDeadline({ ...site, timeoutMs, signal }, async () => {
    const answers = new EventQueue<WatchAnswer>()
    signal.addEventListener('abort', () => {
      answers.abandon()
    })
    const interceptors = [cancelledBy(signal), authorizedBy(await endpoint.connection.token()), requireLeader]
    const stream = endpoint.connection.raw.stream('Watch/Watch', { interceptors })
    let watchId: bigint | undefined
    const opened = new Promise<AsyncIterable<WatchAnswer>>((resolve, reject) => {
      const fail = (error: unknown): void => {
        const failure = toStoreError(site, error)
        answers.fail(failure)
        reject(failure)
      }
      stream.on('data', (message: Buffer) => {
        endpoint.connection.liveness.heard()
        try {
          const answer = readStreamAnswer(message, keyspace)
          expectNotRefused(answer, site)
          watchId ??= answer.watchId
          if (answer.created) resolve(answers)
          else if (isOf(watchId, answer)) answers.push(watchAnswer(answer))
        } catch (error) {
          fail(error)
        }
      })
      stream.on('error', fail)
      stream.on('end', () => {
        fail(storeError(site, 'UNAVAILABLE', 'etcd ended the stream'))
      })
    })
    const { key, range_end: rangeEnd } = keyspace.range
    stream.write(writeWatchRequest({ key, rangeEnd, startRevision }))
    return opened
  })
}

/** @throws {StoreError} when the watcher was refused, or given up, for another reason than a history that is gone */
function expectNotRefused(answer: StreamAnswer, site: CallSite): void {
  if (!answer.canceled || isCompacted(answer)) return
  const reason = answer.cancelReason.slice(0, LONGEST_REASON)
  throw storeError(site, 'CANCELLED', reason === '' ? 'etcd gave the watch up without a reason' : reason)
}

/**
 * Whether an answer is about the watcher. Others without changes are about the stream, and say nothing of what the watcher has been
 * told (etcd before 3.4.25: progress that somebody asked for overtakes changes).
 * @throws {BrokenAnswer}
 */
function isOf(ours: bigint, { watchId, canceled, changes }: StreamAnswer): boolean {
  if (watchId === ours || canceled) return true
  if (changes > 0) throw new BrokenAnswer(`changes for watch ${watchId}, where ours is ${ours}`)
  return false
}
