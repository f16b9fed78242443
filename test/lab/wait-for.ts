import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'

export interface WaitOptions {
  readonly deadlineMs?: number
  readonly everyMs?: number
}

/** A condition that did not come true in time; the message says what was seen last. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

type Probe<T> = () => T | Promise<T>
type Seen<T> =
  { readonly met: true; readonly value: NonNullable<T> } | { readonly met: false; readonly instead: unknown }

async function look<T>(probe: Probe<T>): Promise<Seen<T>> {
  try {
    const value = await probe()
    const met = value !== false && value !== undefined && value !== null
    return met ? { met, value } : { met, instead: value }
  } catch (error) {
    return { met: false, instead: error }
  }
}

/**
 * Probes until the answer is neither undefined, null nor false, and gives that answer. A probe that throws says "not yet", so
 * that an assertion can be waited for.
 * @throws {DeadlineError} with the description and what the last probe saw
 */
export async function waitFor<T>(
  description: string,
  probe: Probe<T>,
  { deadlineMs = 10_000, everyMs = 20 }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const giveUpAt = performance.now() + deadlineMs
  for (;;) {
    const seen = await look(probe)
    if (seen.met) return seen.value
    if (performance.now() > giveUpAt)
      throw new DeadlineError(
        `waited ${deadlineMs} ms for ${description}; at last: ${inspect(seen.instead, { depth: 4 })}`,
        { cause: seen.instead },
      )
    await delay(everyMs)
  }
}
