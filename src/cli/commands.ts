import { basename } from 'node:path'

/** How a command ended: 0 done · 1 a failure that another try may cure · 2 bad usage. */
export interface CommandEnd {
  readonly code: 0 | 1 | 2
  readonly stdout: string
  readonly stderr: string
}

/** What `flanneld NAME …` does instead of running the daemon. Never throws: how it went is what it gives back. */
export interface Command {
  readonly name: string
  /** Names of links to the program that stand for `flanneld NAME`; upstream ships these as programs of their own. */
  readonly links: readonly string[]
  run(args: readonly string[]): Promise<CommandEnd>
}

/** A command with the arguments that are left for it. */
interface Call {
  readonly command: Command
  readonly args: readonly string[]
}

/**
 * The command that is asked for, by the name of the program or by the first argument; undefined when that is the daemon.
 * @param program path under which the program was started
 */
export function findCommand(commands: readonly Command[], program: string, args: readonly string[]): Call | undefined {
  const linked = commands.find(({ links }) => links.includes(basename(program)))
  if (linked !== undefined) return { command: linked, args }
  const named = commands.find(({ name }) => name === args[0])
  return named === undefined ? undefined : { command: named, args: args.slice(1) }
}
