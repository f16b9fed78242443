import type { StatusEvent } from '../document.ts'
import { open, type AskOptions } from './ask.ts'
import { AgentAnswerError } from './errors.ts'

/** Of one event; longer ones are nobody's. In UTF-16 units. */
const LONGEST_EVENT = 1024 * 1024

/**
 * Events as they come, as server-sent events (HTML Living Standard §9.2), until the agent ends or `signal` says so.
 * @throws {AgentAwayError}, {AgentAnswerError}
 */
export async function* follow({
  since,
  ...options
}: AskOptions & { /** Only those with a higher `id`. */ readonly since: number }): AsyncGenerator<StatusEvent> {
  const headers = { accept: 'text/event-stream', 'last-event-id': String(since) }
  const answer = await open('/v1/events', { ...options, headers })
  if (answer.statusCode !== 200 || !String(answer.headers['content-type']).startsWith('text/event-stream')) {
    answer.destroy()
    throw new AgentAnswerError(`the agent sends no events (${String(answer.statusCode)})`, answer.statusCode)
  }
  answer.setEncoding('utf8')
  let rest = ''
  for await (const chunk of untilItEnds(answer, options.signal)) {
    const blocks = `${rest}${chunk}`.replaceAll('\r\n', '\n').split('\n\n')
    rest = blocks.pop() ?? ''
    if (rest.length > LONGEST_EVENT) throw new AgentAnswerError('an event is longer than any of an agent')
    for (const block of blocks) {
      const event = eventIn(block)
      if (event !== undefined) yield event
    }
  }
}

/** An agent that is killed breaks the connection off, and has ended as well as one that closes it. */
async function* untilItEnds(answer: AsyncIterable<string>, signal: AbortSignal | undefined): AsyncGenerator<string> {
  try {
    yield* answer
  } catch (error) {
    const isBrokenOff = error instanceof Error && 'code' in error && error.code === 'ECONNRESET'
    if (signal?.aborted === true || !isBrokenOff) throw error
  }
}

/** Comments, by which the connection is kept, are none. */
function eventIn(block: string): StatusEvent | undefined {
  const data = block.split('\n').flatMap((line) => (/^data: ?/.test(line) ? [line.replace(/^data: ?/, '')] : []))
  if (data.length === 0) return undefined
  try {
    return JSON.parse(data.join('\n')) as StatusEvent // as the document promises
  } catch {
    return undefined
  }
}
