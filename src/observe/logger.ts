import winston from 'winston'
import { LONGEST_TEXT, printable, visible } from '../text/printable.ts'

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** Says things to people. Fields are for grep: `msg key=value`. Secrets never go in. */
export interface Logger {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
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

/** A log line per event on standard error, where systemd and Docker expect it: time, level, message, fields. */
export function createLogger(verbosity: number): Logger {
  const line = winston.format.printf(
    ({ timestamp, level, message }) => `${String(timestamp)} ${level} ${String(message)}`,
  )
  const log = winston.createLogger({
    level: levelOf(verbosity),
    format: winston.format.combine(winston.format.timestamp(), line),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston declares its transports as interfaces
    transports: [new winston.transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
  })
  const say =
    (level: 'error' | 'warn' | 'info' | 'debug') =>
    (message: string, fields: LogFields = {}): void => {
      log.log(level, `${printable(message, LONGEST_MESSAGE)}${renderFields(fields)}`)
    }
  return { error: say('error'), warn: say('warn'), info: say('info'), debug: say('debug') }
}
