import type { IResponseHeader } from 'etcd3'

import type { StoreError, StoreErrorCode } from '../../lease/store.ts'
import type { Clock, Random } from '../../time/clock.ts'
import type { Bounds } from './deadline.ts'
import { storeError, toStoreError } from './errors.ts'
import type { Probe } from './probe.ts'

/** Of how long it may be silent, up or down. */
const JITTER = 0.1
/**
 * Time for an answer, twice: the first question can get lost with a leader (etcd before 3.5 does not repeat it), and TCP sends a lost
 * packet again after 0.2, 0.6, 1.4 and 3 s.
 */
const TRY_MS = 2_000
/** For what came while this process did not run, and stands in the socket still. */
const GRACE_MS = 100

/** With these nobody has read anything: etcd has no leader, or is not there behind a proxy. Every other error is an answer. */
const UNREAD: ReadonlySet<StoreErrorCode> = new Set([
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'INTERNAL',
  'UNKNOWN',
])

/** A stream that lives on a connection. */
export interface Attendant {
  /** A question goes out now. @returns who wants to see what its answer says of the store */
  asked(): (header: IResponseHeader) => void
  /** Reads are not answered, so nothing would come on the stream either; its connection may stand nevertheless. */
  unanswered(error: StoreError): void
}

/** What is watched over, and with what. */
export interface Watched {
  /** For errors. */
  readonly url: string
  readonly probe: Probe
  readonly clock: Clock
  readonly random: Random
  /** How long it may be silent before it is asked, in milliseconds; what follows takes 4.1 s at most. */
  readonly quietMs: () => number
  /** Bytes received so far, whatever they say; another number after each. */
  readonly received: () => number
  /** Nothing is heard any more of whoever is at the other end. */
  readonly onDead: () => void
}

type Answer = { readonly header: IResponseHeader | undefined } | undefined

/** Finds out whether the other end of a connection still lives, for as long as there are streams on it, or somebody doubts it. */
export class Liveness {
  readonly #watched: Watched
  readonly #attendants = new Set<Attendant>()
  readonly #closing = new AbortController()
  #heardAtMs: number
  #quietMs: number
  #isWatching = false
  #question: Promise<void> | undefined
  /** Why the newest question was not answered. */
  #failure: StoreError | undefined

  constructor(watched: Watched) {
    this.#watched = watched
    this.#heardAtMs = watched.clock.monotonicMs()
    this.#quietMs = watched.quietMs()
  }

  /** An answer or an event has come. */
  heard(): void {
    const { clock, random, quietMs } = this.#watched
    this.#heardAtMs = clock.monotonicMs()
    this.#quietMs = quietMs() * (1 + JITTER * (2 * random() - 1))
  }

  /** @param signal ends the attendance */
  attend(attendant: Attendant, signal: AbortSignal): void {
    if (signal.aborted || this.#closing.signal.aborted) return
    this.#attendants.add(attendant)
    signal.addEventListener('abort', () => this.#attendants.delete(attendant))
    if (!this.#isWatching) void this.#watch()
  }

  /** A call had no answer in its time: whether anybody is there is found out now. */
  doubt(): void {
    if (!this.#closing.signal.aborted) void this.#ask()
  }

  close(): void {
    this.#closing.abort()
    this.#attendants.clear()
  }

  async #watch(): Promise<void> {
    const { clock } = this.#watched
    this.#isWatching = true
    while (this.#attendants.size > 0) {
      const quietForMs = clock.monotonicMs() - this.#heardAtMs
      if (quietForMs >= this.#quietMs) await this.#ask()
      else await clock.sleep(this.#quietMs - quietForMs, this.#closing.signal)
    }
    this.#isWatching = false
  }

  #ask(): Promise<void> {
    this.#question ??= this.#askTwice().finally(() => (this.#question = undefined))
    return this.#question
  }

  async #askTwice(): Promise<void> {
    const receivedBefore = this.#watched.received()
    const whoWants = [...this.#attendants].map((attendant) => attendant.asked())
    this.#failure = undefined
    const answer = await this.#answer()
    if (this.#closing.signal.aborted) return
    if (answer === undefined) this.#unanswered(this.#watched.received() === receivedBefore)
    else {
      this.heard()
      if (answer.header !== undefined) for (const show of whoWants) show(answer.header)
    }
  }

  async #answer(): Promise<Answer> {
    const first = this.#read(2 * TRY_MS)
    const atOnce = await Promise.race([first, this.#pause(TRY_MS)])
    if (atOnce !== undefined || this.#closing.signal.aborted) return atOnce
    this.#watched.probe.knock(TRY_MS)
    const any = Promise.race([first, this.#read(TRY_MS)])
    return (await Promise.race([any, this.#pause(TRY_MS)])) ?? (await Promise.race([any, this.#pause(GRACE_MS)]))
  }

  /** Settles only with an answer: whoever waits for one has no use for a failure before its time is up. */
  #read(timeoutMs: number): Promise<Answer> {
    const { url, probe } = this.#watched
    const bounds: Bounds = { op: 'watch', url, timeoutMs, signal: this.#closing.signal }
    return new Promise((resolve) => {
      probe.read(bounds).then(
        (header) => {
          resolve({ header })
        },
        (error: unknown) => {
          this.#failure = toStoreError(bounds, error)
          if (!UNREAD.has(this.#failure.code) && !bounds.signal.aborted) resolve({ header: undefined })
        },
      )
    })
  }

  async #pause(ms: number): Promise<undefined> {
    await this.#watched.clock.sleep(ms, this.#closing.signal)
    return undefined
  }

  #unanswered(isSilent: boolean): void {
    const { url, onDead } = this.#watched
    const silence = storeError({ op: 'watch', url }, 'DEADLINE_EXCEEDED', `no answer within ${2 * TRY_MS} ms`)
    for (const attendant of this.#attendants) attendant.unanswered(isSilent ? silence : (this.#failure ?? silence))
    if (isSilent) onDead()
  }
}
