import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CommandLine } from './command.ts'

const BUNDLE = fileURLToPath(new URL('../../dist/flanneld.cjs', import.meta.url))

const { FLANNELD } = process.env
/** The executable to test instead of the bundle: `FLANNELD=dist/flanneld npm test -- --project e2e`. */
const executable = FLANNELD === undefined || FLANNELD === '' ? undefined : resolve(FLANNELD)

/** The file that is the agent, whatever it is run by. */
export const AGENT_FILE = executable ?? BUNDLE

/** What runs the agent in a file: Node, unless it is an executable. */
export const agentAt = (file: string): CommandLine => (executable === undefined ? [process.execPath, file] : [file])

/** What runs the agent: the built bundle on this Node, or an executable. */
export const AGENT: CommandLine = agentAt(AGENT_FILE)

/** The agent with arguments, as {@link Place.attempt} and its like take a command. */
export const agentCall = (...args: readonly string[]): readonly [command: string, args: readonly string[]] => {
  const [command, ...own] = AGENT
  return [command, [...own, ...args]]
}
