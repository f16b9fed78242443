import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'

export class UsageError extends Error {
  override name = 'UsageError'
}

export interface Options {
  readonly seed: number
  /** Mutants to be tried. */
  readonly count: number
  /** Folders or files below `src/`; none means all. */
  readonly places: readonly string[]
  readonly projects: readonly string[]
  /** Percentage below which the exit code is 1. */
  readonly least: number
  readonly workers: number
  /** Where the whole result is written. */
  readonly json: string | undefined
  /** A result written before, whose survivors alone are tried. */
  readonly again: string | undefined
  readonly help: boolean
}

export const USAGE = `npm run mutate -- [--seed N] [--count 300] [folder or file below src …]

  --seed N         repeats the choice of an earlier run (random)
  --count N        how many mutants are tried (300)
  --project a,b    whose tests try them: core, kernel, etcd (core)
  --least P        exit code 1 when fewer than P percent are killed
  --json FILE      writes the whole result
  --again FILE     tries the survivors of a result once more, and nothing else
  --workers N      how many are tried at a time (one for each processor)`

const OPTIONS = {
  seed: { type: 'string' },
  count: { type: 'string', default: '300' },
  project: { type: 'string', multiple: true },
  least: { type: 'string', default: '0' },
  json: { type: 'string' },
  again: { type: 'string' },
  workers: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true })
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

const wholeWithin = (...range: Parameters<typeof within>): number => Math.floor(within(...range))

const KNOWN = ['core', 'kernel', 'etcd']

function projectsOf(texts: readonly string[]): readonly string[] {
  const names = texts.flatMap((text) => text.split(','))
  const unknown = names.find((name) => !KNOWN.includes(name))
  if (unknown !== undefined) throw new UsageError(`--project takes ${KNOWN.join(', ')}, not "${unknown}"`)
  return [...new Set(names)]
}

function placeOf(text: string): string {
  const place = text.replace(/^\.\//, '').replace(/\/+$/, '')
  if (place === 'src' || place.startsWith('src/')) return place
  throw new UsageError(`only what is below src is mutated, not "${text}"`)
}

const MAX_SEED = 2 ** 31 - 1

/** @throws {UsageError} */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args)
  return {
    seed: values.seed === undefined ? randomInt(MAX_SEED) : wholeWithin('seed', values.seed, 0, MAX_SEED),
    count: wholeWithin('count', values.count, 1, 100_000),
    places: positionals.map(placeOf),
    projects: projectsOf(values.project ?? ['core']),
    least: within('least', values.least, 0, 100),
    workers: values.workers === undefined ? availableParallelism() : wholeWithin('workers', values.workers, 1, 64),
    json: values.json,
    again: values.again,
    help: values.help,
  }
}
