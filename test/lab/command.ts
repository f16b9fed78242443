import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

/** A command and its arguments. */
export type CommandLine = readonly [command: string, ...args: string[]]

/** How a process ended: one of the two is set. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Outcome extends Exit {
  readonly stdout: string
  readonly stderr: string
}

/** A command that ended with another exit code than 0. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly outcome: Outcome

  constructor(line: CommandLine, outcome: Outcome) {
    const ending = outcome.signal ?? `exit code ${String(outcome.code)}`
    super(`${line.join(' ')}: ${ending}\n${outcome.stderr}${outcome.stdout}`)
    this.outcome = outcome
  }
}

export const exitOf = (child: ChildProcess): Promise<Exit> =>
  new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      resolve({ code, signal })
    })
  })

export interface RunOptions {
  /** Text for standard input; nothing when absent. */
  readonly input?: string
  /** Killed with SIGKILL after this. */
  readonly timeoutMs?: number
}

/** Runs a command to its end, whatever the end. Rejects only when it cannot be started. */
export async function outcomeOf(line: CommandLine, options: RunOptions = {}): Promise<Outcome> {
  const [command, ...args] = line
  const child = spawn(command, args, { timeout: options.timeoutMs ?? 30_000, killSignal: 'SIGKILL' })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  // A command may end without reading what it was given.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input)
  const exit = await exitOf(child)
  return { ...exit, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}

/**
 * Standard output of a command that succeeds.
 * @throws {CommandError} when it does not
 */
export async function outputOf(line: CommandLine, options?: RunOptions): Promise<string> {
  const outcome = await outcomeOf(line, options)
  if (outcome.code !== 0) throw new CommandError(line, outcome)
  return outcome.stdout
}

/** Starts a process that lives on, with standard output and error appended to a file. */
export function startLogged([command, ...args]: CommandLine, logPath: string): ChildProcess {
  const log = openSync(logPath, 'a')
  try {
    return spawn(command, args, { stdio: ['ignore', log, log] })
  } finally {
    closeSync(log)
  }
}
