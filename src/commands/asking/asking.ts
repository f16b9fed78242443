import { readCommand, type CommandReading, type CommandSpec } from '../../cli/command/spec.ts'
import type { CommandCall } from '../../cli/commands.ts'
import { COMMON } from '../../cli/command/common-flags.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { AgentAnswerError, AgentAwayError } from '../../status/client/errors.ts'
import { linesOf } from '../../text/printable.ts'
import { endWithOutput, endWithView } from '../output.ts'
import { agentSocket } from './socket.ts'
import { terminal, type Terminal } from './terminal.ts'

type Running = Extract<CommandReading, { kind: 'run' }>

/** What a command that people look at, or scripts, is handed. */
export interface Asking extends Omit<Running, 'kind'> {
  readonly call: CommandCall
  readonly terminal: Terminal
  readonly isJson: boolean
  /** Status socket of the agent to ask. */
  readonly socket: string
  readonly signal: AbortSignal
  /** A word for people, on standard error: what is printed may be read by a program. Each line of it is one there. */
  complain(text: string): void
}

/** What a command comes to: all that it prints, and its exit code. */
export interface Said {
  readonly text: string
  readonly code: number
}

/**
 * Runs a command of this kind: reads its arguments, explains it where that is asked, prints what `body` says, and puts into words why
 * an agent could not be asked, unless `body` does.
 * @returns the exit code
 * @throws {ConfigError} for bad usage
 */
export async function asking(
  spec: CommandSpec,
  call: CommandCall,
  body: (asked: Asking) => Promise<Said>,
): Promise<number> {
  const reading = readCommand(spec, call.args, call.environment)
  if (reading.kind === 'print') return endWithOutput(reading.text, EXIT.done, call.stopSignal)
  const { value } = reading
  const complain = (text: string): void => {
    for (const line of linesOf(text)) process.stderr.write(`flanneld ${spec.name}: ${line}\n`)
  }
  const asked: Asking = {
    ...{ ...reading, call, complain, signal: call.stopSignal },
    terminal: terminal(value(COMMON.color), call.environment),
    isJson: value(COMMON.json),
    socket: await agentSocket(value(COMMON.socket), reading.own),
  }
  try {
    const { text, code } = await body(asked)
    return await endWithView(text, code, call.stopSignal)
  } catch (error) {
    if (call.stopSignal.aborted) return EXIT.failed
    if (!(error instanceof AgentAwayError || error instanceof AgentAnswerError)) throw error
    complain(wordsFor(error))
    return EXIT.failed
  }
}

/** What went wrong, and what to do about it. */
export function wordsFor(error: AgentAwayError | AgentAnswerError): string {
  if (error instanceof AgentAnswerError) return error.message
  return `no agent answers: ${error.message}${ADVICE[error.why]}`
}

const ADVICE: Readonly<Record<AgentAwayError['why'], string>> = {
  absent: '; is it running (systemctl status flanneld), and is this its --status-socket?',
  refused: '; it has ended, or this is not its --status-socket: systemctl status flanneld says which',
  forbidden: '',
  silent: '; it hangs, and its watchdog will end it: journalctl -u flanneld says what it does',
  strange: "; is this the agent's --status-socket?",
}

/** A document as scripts read it. */
export const asJson = (document: unknown): string => `${JSON.stringify(document, undefined, 2)}\n`
