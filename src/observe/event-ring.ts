import { LONGEST_TEXT, printable } from '../text/printable.ts'
import type { EventFields } from './event-kinds.ts'
import type { LogFields, Logger } from './logger.ts'

/** Something that happened, as the log has said it. */
export interface LoggedEvent {
  /** Counts up from 1 at each start. */
  readonly id: number
  /** ISO 8601, UTC. */
  readonly at: string
  readonly level: 'info' | 'warn' | 'error'
  /** Null: what is not in docs/events.md. */
  readonly kind: string | null
  readonly text: string
  readonly fields: Readonly<Record<string, string | number | boolean>>
}

/** The last lines of the log at `info` and above, each an event: one place, so that the log and whoever asks hear the same. */
export class EventRing {
  readonly #kept: number
  readonly #wallMs: () => number
  readonly #events: LoggedEvent[] = []
  readonly #waiting = new Set<() => void>()
  #lastId = 0

  /** @param kept so many are remembered @param wallMs wall-clock time, in milliseconds */
  constructor(kept: number, wallMs: () => number) {
    this.#kept = kept
    this.#wallMs = wallMs
  }

  /** A log that says everything to `log`, and has it remembered here. */
  recording(log: Logger): Logger {
    const say =
      (level: LoggedEvent['level']): Logger['info'] =>
      (message, fields = {}, event) => {
        log[level](message, fields, event)
        this.#add(level, message, fields, event)
      }
    return {
      error: say('error'),
      warn: say('warn'),
      info: say('info'),
      debug: (message, fields) => {
        log.debug(message, fields)
      },
    }
  }

  #add(level: LoggedEvent['level'], message: string, fields: LogFields, event: EventFields | undefined): void {
    const { kind = null, ...keys } = event ?? {}
    this.#lastId++
    this.#events.push({
      id: this.#lastId,
      at: new Date(this.#wallMs()).toISOString(),
      level,
      kind,
      text: printable(message),
      fields: shown({ ...keys, ...fields }),
    })
    if (this.#events.length > this.#kept) this.#events.shift()
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  /** All that are remembered, or those behind `id`, the newest last. An `id` that was never given is of an earlier start. */
  after(id = 0): readonly LoggedEvent[] {
    return id > this.#lastId ? [...this.#events] : this.#events.filter((event) => event.id > id)
  }

  get lastId(): number {
    return this.#lastId
  }

  /** Resolves when there is one behind `id`, after so many milliseconds, or when `signal` aborts. */
  next(id: number, withinMs: number, signal: AbortSignal): Promise<void> {
    if (this.#lastId > id || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, withinMs).unref()
      this.#waiting.add(done)
      signal.addEventListener('abort', done)
    })
  }
}

/** As the log shows them: values of others' making printable, long ones cut. */
function shown(fields: LogFields): LoggedEvent['fields'] {
  const entries = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === 'string' ? printable(value, LONGEST_TEXT) : value] as const],
  )
  return Object.fromEntries(entries)
}
