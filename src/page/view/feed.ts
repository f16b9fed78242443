import type {
  PeerStatus,
  PendingDocument,
  RejectedDocument,
  StatusDocument,
  StatusEvent,
} from '../../status/document.ts'
import type { Source } from './source.ts'

/** What is known of one agent. */
export interface Picture {
  readonly status: StatusDocument
  readonly peers: readonly PeerStatus[]
  readonly pending: PendingDocument
  readonly rejected: RejectedDocument
}

export interface FeedListener {
  onPicture(picture: Picture): void
  onEvents(events: readonly StatusEvent[]): void
  /** It does not answer, for this reason. */
  onLost(reason: string): void
}

/** Between two looks at least, in milliseconds. */
const LOOK_MS = 2_000
/** Of the time, this share may be spent with answers: an agent with thousands of peers is asked less often. */
const SHARE = 0.05
/** Lists are asked for again after this long even when nothing seems to have changed. */
const LISTS_AFTER_MS = 60_000
const RETRY_MS = [1_000, 2_000, 5_000, 15_000]
/** Events come in showers. */
const SETTLE_MS = 150

/** Asks one agent again and again, and hears its events; rests while nobody looks at the page. */
export class Feed {
  readonly #source: Source
  readonly #listener: FeedListener
  #wake: (() => void) | undefined
  #hasNews = true
  #lists: Omit<Picture, 'status'> | undefined
  #listsOf = ''
  #listsAtMs = -Infinity
  #listsTookMs = 0
  #lastEvent = 0
  #instance = ''

  constructor(source: Source, listener: FeedListener) {
    this.#source = source
    this.#listener = listener
    document.addEventListener('visibilitychange', this.#ring)
    void this.#look()
    void this.#listen()
  }

  readonly #ring = (): void => {
    this.#wake?.()
  }

  async #look(): Promise<void> {
    for (;;) {
      const startMs = performance.now()
      try {
        this.#listener.onPicture(await this.#picture())
      } catch (error) {
        this.#listener.onLost(error instanceof Error ? error.message : String(error))
      }
      const tookMs = performance.now() - startMs
      await this.#rest(Math.max(LOOK_MS, tookMs / SHARE))
    }
  }

  /** The status each time; the long lists only when it says that they have changed. */
  async #picture(): Promise<Picture> {
    const status = await this.#source.status()
    if (status.node.instance !== this.#instance) await this.#startAnew(status.node.instance)
    const of = JSON.stringify([status.node, status.peers, status.pending, status.rejected])
    const ageMs = performance.now() - this.#listsAtMs
    const isDue = of !== this.#listsOf || this.#hasNews || ageMs > LISTS_AFTER_MS
    if (this.#lists === undefined || (isDue && ageMs > this.#listsTookMs / SHARE)) {
      this.#hasNews = false
      const startMs = performance.now()
      const source = this.#source
      const asked = [source.peers(), source.pending(), source.rejected()] as const
      const [{ peers }, pending, rejected] = await Promise.all(asked)
      this.#lists = { peers, pending, rejected }
      this.#listsAtMs = performance.now()
      this.#listsTookMs = this.#listsAtMs - startMs
      this.#listsOf = of
    }
    return { status, ...this.#lists }
  }

  /** An agent that has been started again counts its events from 1. */
  async #startAnew(instance: string): Promise<void> {
    const isFirst = this.#instance === ''
    this.#instance = instance
    this.#hasNews = true
    if (isFirst) return
    const { events } = await this.#source.events()
    this.#lastEvent = 0
    this.#take(events)
  }

  /** Until it is time, or something has happened; as long as nobody looks, for ever. */
  async #rest(forMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = document.hidden ? undefined : setTimeout(resolve, forMs)
      this.#wake = () => {
        if (document.hidden) return
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }

  async #listen(): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        this.#take((await this.#source.events()).events)
        await this.#source.follow(this.#lastEvent, (event) => {
          failures = 0
          this.#take([event])
        })
      } catch {
        // That the agent does not answer is said by whoever asks for its status.
      }
      const pauseMs = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  #take(events: readonly StatusEvent[]): void {
    const fresh = events.filter(({ id }) => id > this.#lastEvent)
    const last = fresh.at(-1)
    if (last === undefined) return
    this.#lastEvent = last.id
    this.#hasNews = true
    this.#listener.onEvents(fresh)
    setTimeout(this.#ring, SETTLE_MS)
  }
}
