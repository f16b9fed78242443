import { basename } from 'node:path'
import { nearest } from '../config/differences.ts'
import { ConfigError } from '../config/error.ts'
import { withPlainDashes } from './usage.ts'

/** What the program does besides being the daemon. */
export interface Subcommand {
  /** First argument that asks for it. */
  readonly name: string
  /** Names of links to the program that stand for it; upstream ships these as programs of their own. */
  readonly links: readonly string[]
  /** Under which heading it stands in `--help`. */
  readonly group: CommandGroup
  /** For `--help`: what it does, in one line. */
  readonly summary: string
}

/** Headings of commands, in their order. */
export const COMMAND_GROUPS = {
  look: 'Commands that look',
  change: 'Commands that change something',
  host: 'Commands for this host, and for programs on it',
} as const
export type CommandGroup = keyof typeof COMMAND_GROUPS

export const SUBCOMMANDS = [
  {
    name: 'status',
    links: [],
    group: 'look',
    summary: 'say how the agent of this host is, and what is wrong first',
  },
  {
    name: 'peers',
    links: [],
    group: 'look',
    summary: 'list the other nodes, whether packets arrive there, and whether all entries for them stand',
  },
  {
    name: 'ping',
    links: [],
    group: 'look',
    summary: 'ask another node over the overlay, and say how far packets come',
  },
  {
    name: 'trace',
    links: [],
    group: 'look',
    summary: 'follow the way to another node through etcd, kernel and network, and mark what is wrong',
  },
  {
    name: 'events',
    links: [],
    group: 'look',
    summary: 'show what has happened on this node, or what happens',
  },
  {
    name: 'doctor',
    links: [],
    group: 'look',
    summary: 'find what is wrong on this host and between it and its peers, and say what cures it',
  },
  {
    name: 'plan',
    links: [],
    group: 'look',
    summary: 'say what an agent would change on this host, also for a configuration not yet put',
  },
  {
    name: 'bugreport',
    links: [],
    group: 'look',
    summary: 'write an archive with what somebody else needs to see what is wrong, without secrets',
  },
  {
    name: 'page',
    links: [],
    group: 'look',
    summary: 'serve the overlay as a picture, for a browser',
  },
  {
    name: 'leases',
    links: [],
    group: 'look',
    summary: 'list all leases in etcd, who holds them, when they end, and how many subnets are free',
  },
  {
    name: 'config',
    links: [],
    group: 'change',
    summary: 'read, check, compare and write the network configuration in etcd',
  },
  {
    name: 'reserve',
    links: [],
    group: 'change',
    summary: 'reserve a subnet for one node, without an end',
  },
  {
    name: 'release',
    links: [],
    group: 'change',
    summary: 'give a reservation back, the lease of a node that is gone, or that of this host',
  },
  {
    name: 'docker-opts',
    links: ['mk-docker-opts', 'mk-docker-opts.sh'],
    group: 'host',
    summary: 'write options for dockerd, made of what the daemon says in the subnet file',
  },
  {
    name: 'cni',
    links: ['flannel'],
    group: 'host',
    summary: 'be the CNI plugin flannel, as container runtimes call it',
  },
  {
    name: 'install-cni',
    links: [],
    group: 'host',
    summary: 'put the CNI plugin and its list where container runtimes look for them',
  },
  {
    name: 'cleanup',
    links: [],
    group: 'host',
    summary: 'take away what the daemon has left on this host: devices, routes, firewall rules, the subnet file',
  },
  {
    name: 'completion',
    links: [],
    group: 'host',
    summary: 'print what completes commands and flags in bash, zsh or fish',
  },
] as const satisfies readonly Subcommand[]

/** Words that ask as a flag of the same name does, of the daemon or of the command that follows. */
export const QUESTIONS = [
  { name: 'help', summary: 'explain flanneld, or the command that follows' },
  { name: 'version', summary: 'print the version, the commit, and what it runs on' },
] as const

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
  const byArgument = commandNamed(first)
  if (byArgument !== undefined) return { command: byArgument, args: rest }
  if (first === 'version') return { command: 'daemon', args: ['--version', ...rest] }
  if (first === 'help') return explained(rest)
  if (first !== '' && !first.startsWith('-')) throw noCommand(first)
  return { command: 'daemon', args }
}

const commandNamed = (word: string): CommandName | undefined => SUBCOMMANDS.find(({ name }) => name === word)?.name

/** `flanneld help`, or `flanneld help cleanup`. */
function explained([about = '', ...rest]: readonly string[]): Chosen {
  const command = commandNamed(about)
  if (command !== undefined) return { command, args: ['--help', ...rest] }
  if (about !== '' && !about.startsWith('-')) throw noCommand(about)
  return { command: 'daemon', args: ['--help', ...(about === '' ? rest : [about, ...rest])] }
}

const WORDS = [...SUBCOMMANDS, ...QUESTIONS].map(({ name }) => name)

function noCommand(word: string): ConfigError {
  const flag = withPlainDashes(word)
  if (flag !== undefined) return new ConfigError('arguments', `flags that begin with a plain "-" (write ${flag})`, flag)
  const near = nearest(word, WORDS)
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  return new ConfigError('arguments', `flags, or first a command (${WORDS.join(', ')}${hint})`, word)
}
