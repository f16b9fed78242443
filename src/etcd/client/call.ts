import type { StoreError, StoreErrorCode } from '../../lease/store.ts'
import type { Endpoint, EndpointRing, EndpointStates } from './endpoints.ts'
import { storeError, together, toStoreError } from './errors.ts'
import { authenticated, type EtcdCall } from './request.ts'

/** Faults that another address may not have: dead, frozen, cut off, or no etcd at all. */
const ANOTHER_MAY_ANSWER: ReadonlySet<StoreErrorCode> = new Set([
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'INTERNAL',
  'UNKNOWN',
  'UNIMPLEMENTED',
  'PROTOCOL',
])

/** Share of a call's time that one of several addresses may use up. */
const SHARE_OF_ONE_ADDRESS = 0.4

/** Runs requests with a deadline, on the next address when one fails. */
export class Caller {
  readonly #ring: EndpointRing
  readonly #timeoutMs: number
  readonly #states: EndpointStates
  /** What each address has failed with since one of them answered, by URL. */
  readonly #faults = new Map<string, StoreError>()
  #closed = false

  constructor(ring: EndpointRing, timeoutMs: number, states: EndpointStates) {
    this.#ring = ring
    this.#states = states
    this.#timeoutMs = timeoutMs
  }

  /**
   * Tries every address once within the time limit. After a failure the request may have been carried out, even twice.
   * @throws {StoreError}
   */
  async call<T>(op: string, signal: AbortSignal, request: EtcdCall<T>): Promise<T> {
    const deadlineMs = performance.now() + this.#timeoutMs
    const shareMs = this.#ring.size > 1 ? this.#timeoutMs * SHARE_OF_ONE_ADDRESS : this.#timeoutMs
    for (let left = this.#ring.size; ; left--) {
      const endpoint = this.endpoint(op)
      const beganMs = performance.now()
      const timeoutMs = Math.min(shareMs, deadlineMs - beganMs)
      try {
        const bounds = { op, url: endpoint.address.url, timeoutMs, signal }
        const answer = await authenticated(endpoint.connection, bounds, request)
        endpoint.connection.liveness.heard()
        this.#faults.clear()
        this.#states.answered(endpoint.address.url, performance.now() - beganMs)
        return answer
      } catch (error) {
        const failure = await this.failed(endpoint, op, error)
        if (!ANOTHER_MAY_ANSWER.has(failure.code)) throw failure
        if (left === 1 || performance.now() >= deadlineMs) throw together(failure, this.#faults)
      }
    }
  }

  /** The address in use, for a stream whose life the caller watches. @throws {StoreError} `CLOSED`, or certificates that cannot be read any more */
  endpoint(op: string): Endpoint {
    if (this.#closed) throw storeError({ op }, 'CLOSED', 'the store is closed')
    try {
      return this.#ring.current()
    } catch (error) {
      throw toStoreError({ op }, error)
    }
  }

  /**
   * Something at this address failed: the next call goes to another if that can help, and never over a connection that does not
   * stand. One that stands has other calls and streams on it; when this call had no answer in its time, it has to show that it lives.
   * @returns the failure, with what it comes from
   */
  async failed(endpoint: Endpoint, op: string, error: unknown): Promise<StoreError> {
    const failure = toStoreError({ op }, error)
    const explained = failure.code === 'ABORTED_BY_CALLER' ? failure : await endpoint.connection.explain(failure)
    const isAway = ANOTHER_MAY_ANSWER.has(failure.code)
    if (failure.code !== 'ABORTED_BY_CALLER')
      this.#states.failed(endpoint.address.url, explained, isAway, performance.now())
    if (!isAway) return explained
    this.#faults.set(endpoint.address.url, explained)
    this.#ring.advance(endpoint)
    if (!endpoint.connection.connected) this.#ring.drop(endpoint)
    else if (failure.code === 'DEADLINE_EXCEEDED') endpoint.connection.liveness.doubt()
    return explained
  }

  /** Calls under way and streams fail; what comes after them has a connection of its own. */
  refresh(): void {
    this.#ring.disconnect()
  }

  close(): void {
    this.#closed = true
    this.#ring.disconnect()
  }
}
