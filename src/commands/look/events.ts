import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { EVENTS, FOLLOW } from '../../cli/specs/events.ts'
import { eventLine } from '../../show/events.ts'
import { ask } from '../../status/client/ask.ts'
import { followOn } from '../../status/client/follow-on.ts'
import type { EventsDocument, StatusEvent } from '../../status/document.ts'
import { asking, type Asking, type Said } from '../asking/asking.ts'
import { isReaderGone, writeOutput } from '../output.ts'

/** `flanneld events`. */
export const run = (call: CommandCall): Promise<number> => asking(EVENTS, call, look)

async function look(asked: Asking): Promise<Said> {
  const { events } = await ask<EventsDocument>('/v1/events', asked)
  const text = events.map((event) => lineOf(event, asked)).join('')
  if (!asked.value(FOLLOW)) return { text, code: EXIT.done }
  try {
    await writeOutput(text, asked.signal)
    return await followFrom(events.at(-1)?.id ?? 0, asked)
  } catch (error) {
    if (asked.signal.aborted || isReaderGone(error)) return { text: '', code: EXIT.done }
    throw error
  }
}

const lineOf = (event: StatusEvent, { isJson, terminal }: Asking): string =>
  isJson ? `${JSON.stringify(event)}\n` : eventLine(event, terminal)

/** What came between the two questions is kept by the agent, and sent first; what has been shown is not shown again. */
async function followFrom(since: number, asked: Asking): Promise<Said> {
  const say = (text: string): void => {
    asked.complain(text)
  }
  for await (const event of followOn({ ...asked, since, say })) await writeOutput(lineOf(event, asked), asked.signal)
  return { text: '', code: EXIT.done }
}
