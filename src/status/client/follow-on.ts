import { setTimeout } from 'node:timers/promises'
import type { StatusDocument, StatusEvent } from '../document.ts'
import { ask, type AskOptions } from './ask.ts'
import { AgentAwayError } from './errors.ts'
import { follow } from './follow.ts'

/** Between two attempts to find the next agent, in milliseconds. */
const AGAIN_MS = 1_000

export interface FollowOnOptions extends AskOptions {
  readonly signal: AbortSignal
  /** Only those with a higher `id`, of the agent that answers now. */
  readonly since: number
  /** Told to people: that an agent has ended, and that the next one is there. */
  readonly say: (text: string) => void
  readonly againMs?: number
}

/**
 * Events as they come, of the agent that answers now and of those that come after it, until `signal` says so. The next one counts its events from
 * 1 again, and is heard from its first.
 * @throws {AgentAwayError} when none answers at first, or none can be asked; {AgentAnswerError}
 */
export async function* followOn(options: FollowOnOptions): AsyncGenerator<StatusEvent> {
  const { signal, say, againMs = AGAIN_MS } = options
  let last = options.since
  let instance = await instanceOf(options)
  while (!signal.aborted) {
    try {
      for await (const event of follow({ ...options, since: last }))
        if (event.id > last) {
          last = event.id
          yield event
        }
    } catch (error) {
      if (!isAway(error)) throw error
    }
    say('the agent has ended: waiting for the next')
    const next = await nextAgent(options, againMs)
    if (next === undefined) return
    if (next !== instance) last = 0
    instance = next
    say('an agent answers again')
  }
}

/** For a while, as between two agents. */
const isAway = (error: unknown): boolean => error instanceof AgentAwayError && error.why !== 'forbidden'

const instanceOf = async (options: AskOptions): Promise<string> =>
  (await ask<StatusDocument>('/v1/status', options)).node.instance

/** @returns undefined when stopped meanwhile */
async function nextAgent(options: FollowOnOptions, againMs: number): Promise<string | undefined> {
  const { signal } = options
  while (!signal.aborted) {
    try {
      return await instanceOf(options)
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') return undefined
      if (!isAway(error)) throw error
    }
    await setTimeout(againMs, undefined, { signal }).catch(() => undefined)
  }
  return undefined
}
