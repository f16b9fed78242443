import winston from 'winston'
import type { EventFields } from './event-kinds.ts'
import { withPriority } from './journal.ts'
import { LONGEST_TEXT, printable, visible } from '../text/printable.ts'

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/**
 * Says things to people. Fields are for grep (`msg key=value`) and for programs. Secrets never go in. `event` is for programs alone: what
 * of the notable things this is, with what a person reads in the message. It stands in lines of JSON and in the events of the status.
 */
export interface Logger {
  error(message: string, fields?: LogFields, event?: EventFields): void
  warn(message: string, fields?: LogFields, event?: EventFields): void
  info(message: string, fields?: LogFields, event?: EventFields): void
  debug(message: string, fields?: LogFields): void
}

/** Longest message without its fields, in UTF-16 units: ours have some hundred, and what programs say on their standard error some more. */
const LONGEST_MESSAGE = 4_096

/** Values that would not survive a space-separated line are quoted, long ones cut. */
const quote = (value: string | number | boolean): string => {
  const text = String(value)
  const shown = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}… (${text.length} characters)` : text
  return visible(/^[^\s"=]+$/.test(shown) ? shown : JSON.stringify(shown))
}

export const renderFields = (fields: LogFields): string =>
  Object.entries(fields)
    .flatMap(([name, value]) => (value === undefined ? [] : [` ${name}=${quote(value)}`]))
    .join('')

/** glog-style verbosity (`-v`) to levels: 0 says what an operator must know, 1 and more every change. */
const levelOf = (verbosity: number): string => (verbosity > 0 ? 'debug' : 'info')

type Level = 'error' | 'warn' | 'info' | 'debug'

/** How a line looks: for people, `time level message key=value`, or as a JSON object. */
export type LogFormat = 'text' | 'json'

export interface LoggerOptions {
  readonly verbosity: number
  readonly format: LogFormat
  /** Whether the lines go to systemd's journal: a text has no time then, since that has one, and each line says how urgent it is. */
  readonly isJournal: boolean
}

/** What winston is handed. */
interface Entry {
  readonly timestamp: string
  readonly level: Level
  readonly message: string
  readonly fields: LogFields
  readonly event: EventFields | undefined
}

/** Names that a line has of its own: a field of such a name has an underscore behind it. */
const OWN_KEYS: ReadonlySet<string> = new Set(['time', 'level', 'message'])

const textLine = ({ timestamp, level, message, fields }: Entry, isJournal: boolean): string =>
  `${isJournal ? '' : `${timestamp} `}${level} ${printable(message, LONGEST_MESSAGE)}${renderFields(fields)}`

/**
 * An object in one line: the keys `time` (ISO 8601, UTC), `level` and `message` come first, then of an event its `kind` and keys, then
 * the fields, as they are.
 */
function jsonLine({ timestamp, level, message, fields, event }: Entry): string {
  const shown = Object.entries({ ...event, ...fields }).map(([name, value]) => [
    OWN_KEYS.has(name) ? `${name}_` : name,
    typeof value === 'string' ? printable(value) : value,
  ])
  const own = { time: timestamp, level, message: printable(message, LONGEST_MESSAGE) }
  return JSON.stringify({ ...own, ...(Object.fromEntries(shown) as object) })
}

/** A log line per event on standard error, where systemd and Docker expect it. */
export function createLogger({ verbosity, format, isJournal }: LoggerOptions): Logger {
  const line = winston.format.printf((info) => {
    const entry = info as unknown as Entry
    const text = format === 'json' ? jsonLine(entry) : textLine(entry, isJournal)
    return isJournal ? withPriority(entry.level, text) : text
  })
  const log = winston.createLogger({
    level: levelOf(verbosity),
    format: winston.format.combine(winston.format.timestamp(), line),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston declares its transports as interfaces
    transports: [new winston.transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
  })
  const say =
    (level: Level) =>
    (message: string, fields: LogFields = {}, event?: EventFields): void => {
      log.log({ level, message, fields, event })
    }
  // winston would make the line first, one for each of ten thousand peers, and leave it to the transport to drop it.
  const debug = levelOf(verbosity) === 'debug' ? say('debug') : () => undefined
  return { error: say('error'), warn: say('warn'), info: say('info'), debug }
}
