import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { UsageError } from '../lab/demo-options.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly hosts: number
  readonly seed: number
  /** Machine-readable result as the last line of standard output. */
  readonly json: boolean
  readonly help: boolean
}

export const USAGE = `npm run soak -- [--minutes 30] [--hosts 5] [--seed N] [--json]

  --minutes N  how long faults are made (30)
  --hosts N    number of simulated machines, 3 to 20 (5)
  --seed N     repeats the choices of an earlier run (random)
  --json       print the result as one JSON object on the last line of standard output`

const OPTIONS = {
  minutes: { type: 'string', default: '30' },
  hosts: { type: 'string', default: '5' },
  seed: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function within(name: string, text: string, low: number, high: number): number {
  const value = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || value < low || value > high)
    throw new UsageError(`--${name} takes a number from ${low} to ${high}, not "${text}"`)
  return value
}

const MAX_SEED = 2 ** 31 - 1

/** @throws {UsageError} */
export function parseSoakOptions(args: readonly string[]): SoakOptions {
  const { minutes, hosts, seed, ...flags } = parse(args)
  return {
    ...flags,
    minutes: within('minutes', minutes, 0.1, 24 * 60),
    hosts: Math.floor(within('hosts', hosts, 3, 20)),
    seed: seed === undefined ? randomInt(MAX_SEED) : Math.floor(within('seed', seed, 0, MAX_SEED)),
  }
}
