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

/** Asks the server that the page came from for a document. @throws {Error} with its reason, in words */
export async function askFor<T>(path: string, headers: Readonly<Record<string, string>>): Promise<T> {
  const response = await fetch(path, {
    headers: { ...headers, accept: 'application/json' },
    cache: 'no-store',
    signal: AbortSignal.timeout(DEADLINE_MS),
  })
  if (!response.ok) throw new Error(await reasonOf(response))
  return (await response.json()) as T
}

export const withKey = (key: string | undefined): Readonly<Record<string, string>> =>
  key === undefined ? {} : { authorization: `Bearer ${key}` }

/** One agent, as this page may ask it: `path` is where its documents are, behind the server that the page came from. */
export class Source {
  readonly name: string
  readonly #path: string
  readonly #headers: Readonly<Record<string, string>>

  constructor(name: string, path: string, key: string | undefined) {
    this.name = name
    this.#path = path
    this.#headers = withKey(key)
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

  /** Hands on each event behind this one, as it comes, until the stream ends. EventSource cannot send a key. */
  async follow(after: number, onEvent: (event: StatusEvent) => void): Promise<void> {
    const response = await fetch(`${this.#path}v1/events?after=${after}`, {
      headers: { ...this.#headers, accept: 'text/event-stream' },
      cache: 'no-store',
    })
    if (!response.ok || response.body === null) throw new Error(await reasonOf(response))
    const reader = new StreamReader()
    const text = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await text.read()
      if (done) return
      for (const { data } of reader.push(value)) onEvent(JSON.parse(data) as StatusEvent)
    }
  }

  #ask<T>(path: string): Promise<T> {
    return askFor<T>(`${this.#path}${path}`, this.#headers)
  }
}

const LONGEST_REASON = 300

/** What an error's body says: `{"error": "…"}`, or nothing but its number. */
async function reasonOf(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as { readonly error?: unknown }
    if (typeof error === 'string') return error.slice(0, LONGEST_REASON)
  } catch {
    // It is no JSON.
  }
  return `${response.status} ${response.statusText}`
}
