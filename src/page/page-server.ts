import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { json, refusal, type Answer, type Question, type Route, type Routes } from '../http/answer.ts'
import { PAGE_ROUTE } from './page-routes.ts'
import { askUpstream, type Upstream } from './upstream.ts'

/** What of an agent the page asks for; nothing else is passed on. */
const DOCUMENTS = ['status', 'peers', 'pending', 'rejected', 'events'] as const
/** Ten times what 10 000 peers take, in UTF-16 units: whoever sends more is no agent. */
const LONGEST_DOCUMENT = 128 * 1024 * 1024
const STREAM = 'text/event-stream'

export interface PageServerOptions {
  /** Whoever knows it may ask: a user of this host who is not root may reach the port, but not the agent's socket. */
  readonly key: string
  /** The first is shown at first. */
  readonly upstreams: readonly Upstream[]
}

/**
 * What `flanneld page` answers: the page to everybody, and to whoever has the key the documents of the agents that it was started for. What is
 * asked for never says whom to ask.
 */
export function pageServerRoutes({ key, upstreams }: PageServerOptions): Routes {
  const nodes = upstreams.map(({ name }, at) => ({ name, path: pathOf(at) }))
  const documents = upstreams.flatMap((upstream, at) =>
    DOCUMENTS.map((document): readonly [string, Route] => [
      `/${pathOf(at)}v1/${document}`,
      withKey(key, (question) => passOn(upstream, `/v1/${document}`, question)),
    ]),
  )
  // Without a key the page takes the server for an agent, and shows what it is told.
  const keyless = DOCUMENTS.map((document): readonly [string, Route] => [`/v1/${document}`, { respond: () => NO_KEY }])
  const list: Route = withKey(key, () => json({ nodes }))
  return new Map<string, Route>([['/', PAGE_ROUTE], ['/nodes', list], ...keyless, ...documents])
}

const pathOf = (at: number): string => `n/${at}/`

/** Compared as hashes: how long that takes says nothing of the key. */
function withKey(key: string, respond: Route['respond']): Route {
  const wanted = hashOf(`Bearer ${key}`)
  return {
    respond: (question) =>
      timingSafeEqual(hashOf(question.header('authorization') ?? ''), wanted) ? respond(question) : NO_KEY,
  }
}

const NO_KEY = json(
  { error: 'open the address that flanneld page has printed, with all that stands behind its "#"' },
  401,
)

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()

async function passOn(upstream: Upstream, path: string, { header, query, signal }: Question): Promise<Answer> {
  const isStream = path === '/v1/events' && header('accept') === STREAM
  const after = query.get('after') ?? ''
  const asked = isStream && /^\d{1,15}$/.test(after) ? `${path}?after=${after}` : path
  const accept = isStream ? STREAM : 'application/json'
  let answer: IncomingMessage
  try {
    answer = await askUpstream(upstream, { path: asked, accept, signal })
  } catch (error) {
    return refusal(503, error instanceof Error ? error.message : String(error))
  }
  const { statusCode = 0 } = answer
  const status = statusCode === 200 || statusCode >= 400 ? statusCode : 502
  const isFollowed = isStream && status === 200
  return {
    status,
    type: isFollowed ? STREAM : 'application/json',
    isEndless: isFollowed,
    body: textOf(answer, isFollowed ? Infinity : LONGEST_DOCUMENT),
  }
}

/** Whatever another host sends is JSON or events, and no page: see `type` above, and nosniff. */
async function* textOf(answer: IncomingMessage, longest: number): AsyncGenerator<string, void, undefined> {
  answer.setEncoding('utf8')
  let length = 0
  for await (const piece of answer as AsyncIterable<string>) {
    length += piece.length
    if (length > longest) throw new Error('that is no document of an agent')
    yield piece
  }
}
