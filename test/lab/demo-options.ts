import { parseArgs } from 'node:util'

export interface DemoOptions {
  readonly hosts: number
  /** Leave everything running at the end, and say how to enter. */
  readonly keep: boolean
  /** Machine-readable result as the last line of standard output. */
  readonly json: boolean
  /** Both address families. */
  readonly ipv6: boolean
  readonly help: boolean
}

export const USAGE = `npm run demo -- [--hosts N] [--ipv6] [--keep] [--json]

  --hosts N   number of simulated machines, 2 to 20 (3)
  --ipv6      a network of both address families, and pings over both
  --keep      leave it running at the end, and print how to enter it
  --json      print the result as one JSON object on the last line of standard output`

const MIN_HOSTS = 2
const MAX_HOSTS = 20

/** A command line that makes no sense. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

function hostCount(text: string): number {
  const count = Number(text)
  if (!/^\d+$/.test(text) || count < MIN_HOSTS || count > MAX_HOSTS)
    throw new UsageError(`--hosts takes a number from ${MIN_HOSTS} to ${MAX_HOSTS}, not "${text}"`)
  return count
}

const OPTIONS = {
  hosts: { type: 'string', default: '3' },
  keep: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  ipv6: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** @throws {UsageError} */
export function parseDemoOptions(args: readonly string[]): DemoOptions {
  const { hosts, ...flags } = parse(args)
  return { ...flags, hosts: hostCount(hosts) }
}
