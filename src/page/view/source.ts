import type {
  EventsDocument,
  PeersDocument,
  PendingDocument,
  RejectedDocument,
  StatusDocument,
  StatusEvent,
} from '../../status/document.ts'
import { StreamReader } from '../model/sse.ts'

/** Of an answer that does not come: the agent stands still. */
const DEADLINE_MS = 10_000

/** One agent, as this page may ask it: `path` is where its documents are, behind the server that the page came from. */
export class Source {
  readonly name: string
  readonly #path: string
  readonly #headers: Readonly<Record<string, string>>

  constructor(name: string, path: string, key: string | undefined) {
    this.name = name
    this.#path = path
    this.#headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  }

  status(): Promise<StatusDocument> {
    return this.#ask('v1/status')
  }

  peers(): Promise<PeersDocument> {
    return this.#ask('v1/peers')
  }

  pending(): Promise<PendingDocument> {
    return this.#ask('v1/pending')
  }

  rejected(): Promise<RejectedDocument> {
    return this.#ask('v1/rejected')
  }

  events(): Promise<EventsDocument> {
    return this.#ask('v1/events')
  }

  /** Hands on each event as it comes, until the stream ends. EventSource cannot send a key. */
  async follow(onEvent: (event: StatusEvent) => void): Promise<void> {
    const response = await fetch(`${this.#path}v1/events`, {
      headers: { ...this.#headers, accept: 'text/event-stream' },
    })
    if (!response.ok || response.body === null) throw new Error(`${response.status} ${response.statusText}`)
    const reader = new StreamReader()
    const text = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await text.read()
      if (done) return
      for (const { data } of reader.push(value)) onEvent(JSON.parse(data) as StatusEvent)
    }
  }

  async #ask<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#path}${path}`, {
      headers: { ...this.#headers, accept: 'application/json' },
      cache: 'no-store',
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
    if (!response.ok) throw new Error(await reasonOf(response))
    return (await response.json()) as T
  }
}

const LONGEST_REASON = 300

async function reasonOf(response: Response): Promise<string> {
  const text = await response.text().catch(() => '')
  return `${response.status} ${response.statusText} ${text.slice(0, LONGEST_REASON)}`.trim()
}
