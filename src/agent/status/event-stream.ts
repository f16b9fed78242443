import type { Answer, Question } from '../../http/answer.ts'
import type { EventsView } from './live-agent.ts'

/** A line that says nothing, so that both ends notice when the other is gone, in milliseconds. */
const SIGN_OF_LIFE_MS = 15_000
/** A browser that was hung up on comes back after this long, in milliseconds. */
const COME_BACK_MS = 3_000

export const isForEventStream = (accept: string | undefined): boolean => /\btext\/event-stream\b/.test(accept ?? '')

/**
 * Events as they come, as server-sent events (HTML Living Standard, 9.2), behind the one that the reader has seen last: `Last-Event-ID`, or
 * `after=`. Who reads slowly misses those that are not remembered any more, and sees that by their ids; nothing is kept for it.
 */
export function followEvents(
  events: EventsView,
  { header, query, signal }: Pick<Question, 'header' | 'query' | 'signal'>,
): Answer {
  const seen = header('last-event-id') ?? query.get('after') ?? ''
  return {
    status: 200,
    type: 'text/event-stream',
    isEndless: true,
    body: eventPieces(events, /^\d{1,15}$/.test(seen) ? Number(seen) : events.lastId, signal),
  }
}

async function* eventPieces(
  events: EventsView,
  seen: number,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  yield `retry: ${COME_BACK_MS}\n\n`
  let last = seen
  while (!signal.aborted) {
    const news = events.after(last)
    for (const event of news) yield `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`
    if (news.length === 0) yield ':\n\n'
    last = news.at(-1)?.id ?? Math.min(last, events.lastId)
    await events.next(last, SIGN_OF_LIFE_MS, signal)
  }
}
