import { StoreError } from '../../lease/store.ts'
import type { LogFields, Logger } from '../../observe/logger.ts'
import type { Clock } from '../../time/clock.ts'
import { ExpiringKeys } from '../../time/expiring-keys.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import { isStopped } from './task.ts'

/** The same reason is said again after this long, in milliseconds. */
const AGAIN_MS = 60_000
/** What begins anew with the same reason is said at once so often within that time. */
const AT_ONCE = 3
/** Only a ring matters. */
const IDLE_MS = 3_600_000

/** How the log puts it that a condition fails. */
export interface Telling {
  /** The line; `what: reason` where none is given. `false`: none, because whoever reports it has said it, or nobody need know. */
  readonly says?: string | false
  readonly level?: 'error' | 'warn'
  readonly fields?: LogFields
  /** The line when it holds again, after it was said that it fails; `what: works now` where neither is given. `false`: none. */
  readonly saysHolds?: string | false
  /** What stays the same of the reason when it comes in other words; {@link subjectOf} an error, or the reason itself, where not given. */
  readonly subject?: string
  /** Whether it is said again while it lasts; if not, once for each time that it begins. Default: yes. */
  readonly repeats?: boolean
  /** The same is said again after this long, in milliseconds. Default: a minute. */
  readonly againMs?: number
  /** How often within that time it is said at once when it held meanwhile. Default: three times. */
  readonly atOnce?: number
}

/** What lines say of outages that the kernel does not notice. It is left out where it is not so. */
const GOES_ON = /[;,] forwarding( of the overlay)? goes on( as it is)?/

export interface ConditionLogInput {
  readonly clock: Clock
  readonly log: Logger
  /** Whether nothing is known that keeps packets of the overlay from leaving this host. */
  readonly isForwarding: () => boolean
}

/** A {@link Telling} in which nothing is left open. */
export type Line = Required<Telling> & { readonly what: string; readonly reason: string }

/**
 * Decides what the log says of conditions. That one fails is said at once, also when it had held for a moment, but only a few times a
 * minute for the same reason: then when the minute is over, if it still fails. What fails on, and is reported again, is said once a
 * minute. That it holds is said where the last word was that it does not. So what comes and goes all the time makes a few pairs of lines
 * a minute, and no last word stays false for longer than that.
 */
export class ConditionLog {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #isForwarding: () => boolean
  /** What was said within the last minute, by {@link keysOf}. */
  readonly #said: ExpiringKeys
  /** What the log's last word is of: it fails. */
  readonly #open = new Map<string, Line>()
  /** What fails and was not said, because it had been said a moment before. */
  readonly #heldBack = new Map<string, Line>()
  readonly #bell = new Wakeup()

  constructor({ clock, log, isForwarding }: ConditionLogInput) {
    this.#isForwarding = isForwarding
    this.#clock = clock
    this.#log = log
    this.#said = new ExpiringKeys(clock)
  }

  fails(line: Line): void {
    const { what, subject, repeats } = line
    const open = this.#open.get(what)
    if (line.says === false) {
      if (line.saysHolds !== false) this.#open.set(what, line)
    } else if (open?.subject === subject && !repeats) return
    else if (open === undefined) this.#begins(line)
    else if (!keysOf(line).some((key) => this.#said.has(key))) this.#say(line)
  }

  #begins(line: Line): void {
    if (this.#freeKey(line) !== undefined) this.#say(line)
    else {
      this.#heldBack.set(line.what, line)
      this.#bell.ring()
    }
  }

  #freeKey(line: Line): string | undefined {
    return keysOf(line).find((key) => !this.#said.has(key))
  }

  holds(what: string): void {
    this.#heldBack.delete(what)
    const open = this.#open.get(what)
    if (open === undefined) return
    this.#open.delete(what)
    if (open.saysHolds !== false)
      this.#log.info(open.saysHolds, open.fields, { kind: 'condition-held', condition: what })
  }

  /** Nobody is concerned any more: nothing is said of it. */
  drop(what: string): void {
    this.#heldBack.delete(what)
    this.#open.delete(what)
  }

  /** Says what was held back, when its time has come and it still fails. */
  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      for (const line of [...this.#heldBack.values()]) if (this.#freeKey(line) !== undefined) this.#say(line)
      await rest(this.#nextInMs(), this.#bell)
    }
  }

  #say(line: Line): void {
    const { what, says, level, fields, againMs, reason } = line
    const key = this.#freeKey(line)
    if (key !== undefined) this.#said.add(key, againMs)
    this.#open.set(what, line)
    this.#heldBack.delete(what)
    if (says === false) return
    const text = this.#isForwarding() ? says : says.replace(GOES_ON, '')
    this.#log[level](text, fields, { kind: 'condition-failed', condition: what, reason })
  }

  #nextInMs(): number {
    const nowMs = this.#clock.monotonicMs()
    const keys = [...this.#heldBack.values()].flatMap(keysOf)
    return Math.min(IDLE_MS, ...keys.map((key) => (this.#said.expiryMs(key) ?? nowMs) - nowMs))
  }
}

/** As many as times that it may be said within a while. */
const keysOf = ({ what, subject, atOnce }: Line): readonly string[] =>
  Array.from({ length: atOnce }, (_, at) => `${what}\n${subject}\n${at}`)

export function lineOf(what: string, reason: string | Error, level: 'error' | 'warn', telling: Telling): Line {
  const text = typeof reason === 'string' ? reason : reason.message
  return {
    what,
    reason: text,
    says: telling.says ?? `${what}: ${text}`,
    level: telling.level ?? level,
    fields: telling.fields ?? {},
    saysHolds: telling.saysHolds ?? (telling.says === false ? false : `${what}: works now`),
    subject: telling.subject ?? (typeof reason === 'string' ? reason : subjectOf(reason)),
    repeats: telling.repeats ?? true,
    againMs: telling.againMs ?? AGAIN_MS,
    atOnce: telling.atOnce ?? AT_ONCE,
  }
}

/** What stays the same of a failure that happens again: the words of one to a store name now this endpoint, now that. */
export function subjectOf(error: Error): string {
  if (error instanceof StoreError) return `${error.name} ${error.op} ${error.code} ${error.root ?? ''}`
  const code = 'code' in error ? error.code : undefined
  return 'syscall' in error ? `${error.name} ${String(code)}` : error.message
}
