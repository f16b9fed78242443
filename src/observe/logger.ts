import winston from 'winston'

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** Says things to people. Fields are for grep: `msg key=value`. Secrets never go in. */
export interface Logger {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
}

/** Values that would not survive a space-separated line are quoted. */
const quote = (value: string | number | boolean): string => {
  const text = String(value)
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)
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
      log.log(level, oneLine(`${message}${renderFields(fields)}`))
    }
  return { error: say('error'), warn: say('warn'), info: say('info'), debug: say('debug') }
}

/**
 * What peers write into etcd ends up in messages and fields: it must neither forge a line of its own nor talk to the terminal. Control
 * characters (C0, C1), line and paragraph separators.
 */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g

const oneLine = (text: string): string => text.replace(UNPRINTABLE, ' ')
