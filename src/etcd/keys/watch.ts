import type { Revision } from '../../lease/lease.ts'
import type { StoreError, StoreIdentity, WatchStatus } from '../../lease/store.ts'
import type { Clock, Random } from '../../time/clock.ts'
import type { Caller } from '../client/call.ts'
import { storeError, toStoreError } from '../client/errors.ts'
import { EventQueue } from './event-queue.ts'
import { contradicts, KnownRecords, readPastState } from './same-history.ts'
import { readClusterState, readClusterStateSince, StoreMemory } from './identity.ts'
import { Slices } from '../../time/slices.ts'
import type { KeyRecord, KeyWatchEvent } from './key.ts'
import type { Keyspace } from './keyspace.ts'
import { streamAttendant } from './stream-attendant.ts'
import type { WatchAnswer } from './watch-answer.ts'
import { WatchPosition } from './watch-position.ts'
import { openWatch } from './open-watch.ts'
import { RECONNECT, Reconnection } from './reconnection.ts'

/** What a watch works with. */
export interface WatchTools {
  readonly caller: Caller
  readonly keyspace: Keyspace
  readonly clock: Clock
  readonly random: Random
  /** Time for opening a stream. */
  readonly openTimeoutMs: number
}

/**
 * After an outage every node comes back at once, and each one's examination costs etcd in proportion to the keys: so they spread
 * over a time in the same proportion, and within the minute.
 */
const EXAMINATION_DELAY_PER_RECORD_MS = 5
const MOST_EXAMINATION_DELAY_MS = 45_000

/** What ends a watch for good. */
type WatchEnding = Exclude<KeyWatchEvent, { kind: 'deltas' }>

/** One watch of a directory: a stream after another, each beginning where the one before ended. */
export class KeyWatch {
  readonly #tools: WatchTools
  readonly #status: WatchStatus
  readonly #position: WatchPosition
  readonly #memory: StoreMemory
  readonly #known: KnownRecords
  /** What is known to begin with, until it is taken in: a watch lasts for weeks. */
  #begun: readonly KeyRecord[]
  readonly #reconnection: Reconnection
  readonly #events = new EventQueue<KeyWatchEvent>()
  #connection: 'unknown' | 'up' | 'down' = 'unknown'
  /** Found out about the store while a stream was open, which it ended. */
  #finding: WatchEnding | StoreError | undefined
  #endSession: () => void = () => undefined

  constructor(tools: WatchTools, from: StoreIdentity, status: WatchStatus) {
    this.#tools = tools
    this.#status = status
    this.#position = new WatchPosition(from.revision)
    this.#memory = new StoreMemory(from)
    this.#known = new KnownRecords(from.records !== undefined)
    this.#begun = from.records ?? []
    this.#reconnection = new Reconnection(tools)
  }

  async *run(signal: AbortSignal): AsyncGenerator<KeyWatchEvent, void, undefined> {
    const begun = this.#begun
    this.#begun = []
    await new Slices(this.#tools.clock).run(this.#known.takingIn(begun))
    if (signal.aborted) return
    const scope = new AbortController()
    const stop = (): void => {
      this.#events.abandon()
      scope.abort()
    }
    signal.addEventListener('abort', stop)
    const pump = this.#pump(scope.signal).finally(() => {
      this.#events.end()
    })
    pump.catch(() => undefined)
    try {
      yield* this.#events
      await pump
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
    }
  }

  async #pump(signal: AbortSignal): Promise<void> {
    for (;;) {
      this.#finding = undefined
      const result = this.#reconnection.judge(await this.#session(signal), this.#position.known)
      if (signal.aborted) return
      if (!(result instanceof Error)) {
        this.#events.push(result)
        return
      }
      this.#disconnected(result)
      await this.#reconnection.pause(signal)
    }
  }

  /** One stream from opening to its end. Never throws what a network can do: that is the returned error. */
  async #session(signal: AbortSignal): Promise<WatchEnding | StoreError> {
    const session = new AbortController()
    const stop = (): void => {
      session.abort()
    }
    signal.addEventListener('abort', stop, { signal: session.signal })
    this.#endSession = stop
    if (signal.aborted) stop() // while it waited for its turn: no event would tell it any more
    try {
      return await this.#follow(session.signal)
    } catch (error) {
      return this.#finding ?? toStoreError({ op: 'watch' }, error)
    } finally {
      stop()
    }
  }

  async #follow(signal: AbortSignal): Promise<WatchEnding> {
    const { caller, keyspace, openTimeoutMs } = this.#tools
    // after a failure: gets a new token and finds an address that works before a stream depends on them
    const another = this.#connection === 'unknown' ? undefined : await this.#verify(signal)
    if (another !== undefined) return another
    const endpoint = caller.endpoint('watch')
    this.#position.restart()
    const { known, startRevision } = this.#position
    const attendant = streamAttendant(this.#memory, (what) => {
      if (!signal.aborted) this.#found(what)
    })
    const request = { endpoint, keyspace, startRevision, openTimeoutMs }
    try {
      const answers = await openWatch(request, signal)
      const swapped = await this.#verify(signal, known)
      if (swapped !== undefined) return swapped
      if (this.#connection !== 'unknown') void this.#examineHistory(known, signal)
      this.#connected()
      endpoint.connection.liveness.attend(attendant, signal)
      for await (const answer of answers) {
        const ending = this.#take(answer)
        if (ending !== undefined) return ending
      }
      throw storeError({ op: 'watch' }, 'ABORTED_BY_CALLER', 'aborted')
    } catch (error) {
      throw await caller.failed(endpoint, 'watch', this.#finding instanceof Error ? this.#finding : error)
    }
  }

  /**
   * Asks a quorum whether this is still the store we know and, of a stream that was opened behind `known`, whether it still has that: then
   * nothing was compacted away under the stream when it was opened, since a quorum has heard of every compaction that was carried out.
   */
  async #verify(signal: AbortSignal, known?: Revision): Promise<WatchEnding | undefined> {
    const { caller, keyspace } = this.#tools
    const past = known === undefined ? undefined : await readClusterStateSince(caller, keyspace, known, signal)
    const reason = this.#memory.whyAnother(past ?? (await readClusterState(caller, keyspace, signal)))
    if (reason !== undefined) return { kind: 'reset', reason }
    return known === undefined || past !== undefined ? undefined : { kind: 'compacted', compactRevision: known + 1n }
  }

  /**
   * Some time after a reconnection, asks whether the store came to our revision as we did: one that was restored from a snapshot may
   * have passed us meanwhile. When that revision is compacted by then, nothing can be told. What is found ends the session.
   */
  async #examineHistory(revision: Revision, signal: AbortSignal): Promise<void> {
    const { caller, keyspace, clock, random } = this.#tools
    const known = this.#known.summary()
    if (known === undefined) return
    let delayMs = random() * Math.min(MOST_EXAMINATION_DELAY_MS, known.count * EXAMINATION_DELAY_PER_RECORD_MS)
    for (;;) {
      await clock.sleep(delayMs, signal)
      if (signal.aborted) return
      const past = await readPastState(caller, keyspace, revision, signal).catch(() => 'unread' as const)
      if (past === 'unread') delayMs = RECONNECT.mostMs
      else {
        if (past !== undefined && contradicts(past, known))
          this.#found({ kind: 'reset', reason: `at revision ${revision} it holds what it never held before` })
        return
      }
    }
  }

  #found(what: WatchEnding | StoreError): void {
    this.#finding = what
    this.#endSession()
  }

  #take(answer: WatchAnswer): WatchEnding | undefined {
    if (answer.kind === 'compacted') return answer
    this.#memory.saw(answer.header)
    const advance = this.#position.advance(answer)
    if ('reason' in advance) return advance
    for (const event of advance) {
      this.#known.apply(event.deltas)
      this.#events.push(event)
    }
    return undefined
  }

  #connected(): void {
    this.#reconnection.opened()
    this.#connection = 'up'
    this.#status.onConnected?.()
  }

  #disconnected(error: StoreError): void {
    if (this.#connection === 'down') this.#status.onStillAway?.(error)
    else this.#status.onDisconnected?.(error)
    this.#connection = 'down'
  }
}
