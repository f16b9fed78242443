import { basename } from 'node:path'
import { ConfigError } from '../config/error.ts'

/** What the program does besides being the daemon. */
export interface Subcommand {
  /** First argument that asks for it. */
  readonly name: string
  /** Names of links to the program that stand for it; upstream ships these as programs of their own. */
  readonly links: readonly string[]
  /** For `--help`: what it does, in one line. */
  readonly summary: string
}

export const SUBCOMMANDS = [
  {
    name: 'docker-opts',
    links: ['mk-docker-opts', 'mk-docker-opts.sh'],
    summary: 'write options for dockerd, made of what the daemon says in the subnet file',
  },
  {
    name: 'cni',
    links: ['flannel'],
    summary: 'be the CNI plugin flannel, as container runtimes call it',
  },
  {
    name: 'cleanup',
    links: [],
    summary: 'take away what the daemon has left on this host: devices, routes, firewall rules, the subnet file',
  },
] as const satisfies readonly Subcommand[]

export type CommandName = 'daemon' | (typeof SUBCOMMANDS)[number]['name']

/** How a command that only prints has ended: 0 done · 1 a failure that another try may cure · 2 bad usage. */
export interface CommandEnd {
  readonly code: 0 | 1 | 2
  readonly stdout: string
  readonly stderr: string
}

/** What a command is handed. */
export interface CommandCall {
  /** Without the name of the command. */
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly version: string
  /** Aborted when the process is asked to stop. */
  readonly stopSignal: AbortSignal
}

/**
 * Runs a command to its end.
 * @returns the exit code
 * @throws {ConfigError} for bad usage or configuration
 */
export type RunCommand = (call: CommandCall) => Promise<number>

interface Chosen {
  readonly command: CommandName
  /** Those that are left for it. */
  readonly args: readonly string[]
}

/**
 * Which command is meant: by the name the program was started under, else by the first argument that is no flag, else the daemon.
 * @param program path of the program as it was started
 * @throws {ConfigError} for a first argument that is neither a flag nor a command
 */
export function chooseCommand(program: string, args: readonly string[]): Chosen {
  const link = basename(program)
  const byProgram = SUBCOMMANDS.find(({ links }: Subcommand) => links.includes(link))
  if (byProgram !== undefined) return { command: byProgram.name, args }
  const [first = '', ...rest] = args
  const byArgument = SUBCOMMANDS.find((candidate) => candidate.name === first)
  if (byArgument !== undefined) return { command: byArgument.name, args: rest }
  if (first !== '' && !first.startsWith('-')) {
    const known = SUBCOMMANDS.map((candidate) => candidate.name).join(', ')
    throw new ConfigError('arguments', `flags, or first a command (${known})`, first)
  }
  return { command: 'daemon', args }
}
