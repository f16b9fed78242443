import type { Logger } from '../../src/observe/logger.ts'

/** A logger that keeps what it is told: `level message key=value …`. */
export interface RecordingLog extends Logger {
  readonly lines: readonly string[]
}

export function recordingLog(): RecordingLog {
  const lines: string[] = []
  const say =
    (level: string): Logger['info'] =>
    (message, fields = {}) => {
      const values = Object.entries(fields).flatMap(([name, value]) =>
        value === undefined ? [] : [`${name}=${String(value)}`],
      )
      lines.push([level, message, ...values].join(' '))
    }
  return { lines, error: say('error'), warn: say('warn'), info: say('info'), debug: say('debug') }
}
